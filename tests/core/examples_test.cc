// The examples of docs/numerics.md: inputs that tell one producer's arithmetic from
// another's, with the results that the producers give.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/quantizer.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

using testing::ElementsAre;

constexpr ConversionTypes kToInt8 = {ElementType::kFloat32, ElementType::kInt8};

Shape ShapeOf(const std::vector<float>& input) { return {static_cast<std::int64_t>(input.size())}; }

class Examples : public EverySimdTarget {
 protected:
  static std::vector<float> FakeQuantized(float min, float max, const QuantizationSpec& spec,
                                          const std::vector<float>& input) {
    const auto quantization =
        FakeQuantization::Create(Range{.min = {&min, 1}, .max = {&max, 1}}, spec);
    EXPECT_TRUE(quantization.ok()) << quantization.status();
    return Apply(*quantization, View(ShapeOf(input), input));
  }

  static AllGradients Differentiated(float min, float max, const QuantizationSpec& spec,
                                     const std::vector<float>& gradients,
                                     const std::vector<float>& inputs) {
    const auto quantization =
        FakeQuantization::CreateForGradient(Range{.min = {&min, 1}, .max = {&max, 1}}, spec);
    EXPECT_TRUE(quantization.ok()) << quantization.status();
    return ApplyGradient(*quantization, View(ShapeOf(inputs), gradients),
                         View(ShapeOf(inputs), inputs));
  }

  static std::vector<std::int8_t> QuantizedToInt8(Numerics numerics,
                                                  const std::vector<float>& input,
                                                  std::int32_t zero_point = 5) {
    const float scale = 1;
    const auto quantizer =
        Quantizer::Create(AffineParameters{.scale = {&scale, 1}, .zero_point = {&zero_point, 1}},
                          {.numerics = numerics}, kToInt8);
    EXPECT_TRUE(quantizer.ok()) << quantizer.status();
    std::vector<std::int8_t> codes(input.size());
    const OutputView output(ElementType::kInt8, codes.data(), codes.size());
    EXPECT_TRUE(quantizer->Apply(View(ShapeOf(input), input), output, nullptr).ok());
    return codes;
  }

  // The bytes of codes of scale 1 and zero point 0.
  static std::vector<std::uint8_t> Packed(ElementType type, const std::vector<float>& input) {
    const float scale = 1;
    const auto quantizer = Quantizer::Create(AffineParameters{.scale = {&scale, 1}}, {},
                                             {ElementType::kFloat32, type});
    EXPECT_TRUE(quantizer.ok()) << quantizer.status();
    std::vector<std::uint8_t> bytes(ElementBytes(type, input.size()), 0xFF);
    const OutputView output(type, bytes.data(), input.size());
    EXPECT_TRUE(quantizer->Apply(View(ShapeOf(input), input), output, nullptr).ok());
    return bytes;
  }
};

TEST_P(Examples, OneInputTellsOnnxAndBothKindsOfLiteRtApart) {
  const std::vector<float> input = {0.5F, -0.5F, 1.5F, kNaN, kInfinity, 3e9F};
  EXPECT_THAT(QuantizedToInt8(Numerics::kOnnx, input), ElementsAre(5, 5, 7, -128, 127, 127));
  EXPECT_THAT(QuantizedToInt8(Numerics::kLiteRt, input), ElementsAre(6, 4, 7, -128, -128, -128));
  EXPECT_THAT(QuantizedToInt8(Numerics::kLiteRtXnnpack, input),
              ElementsAre(5, 5, 7, 127, 127, 127));
}

TEST_P(Examples, PyTorchGivesTheLowestCodeForWhatDoesNotFitInto64Bits) {
  EXPECT_THAT(QuantizedToInt8(Numerics::kPyTorch, {kNaN, kInfinity, -kInfinity, 1e19F, 9e18F}),
              ElementsAre(-128, -128, -128, -128, 127));
}

TEST_P(Examples, PyTorchGivesInfinityTheHighestCodeInFloat64) {
  const float scale = 0.5F;
  const auto quantization = FakeQuantization::Create(
      AffineParameters{.scale = {&scale, 1}},
      {.numerics = Numerics::kPyTorch, .quant_min = -128, .quant_max = 127}, ElementType::kFloat64);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  using Double = std::numeric_limits<double>;
  const std::vector<double> input = {Double::quiet_NaN(), Double::infinity(), -Double::infinity(),
                                     1e300, 0.75};
  const Shape shape = {5};
  std::vector<double> output(input.size());
  const TensorView view(ElementType::kFloat64, shape,
                        ScatteredBytes(std::as_bytes(std::span(input))));
  const OutputView doubles(ElementType::kFloat64, output.data(), output.size());
  ASSERT_TRUE(quantization->Apply(view, doubles, nullptr).ok());
  EXPECT_THAT(output, ElementsAre(-64, 63.5, -64, 63.5, 1));
}

// The negative zero point makes the difference of codes that are far from zero wrap.
TEST_P(Examples, PyTorchWrapsDifferencesOfInt32PerTensorOnly) {
  const float scale = 1;
  const std::int32_t zero_point = -2;
  const std::vector<std::int32_t> codes = {2147483647};
  const Shape shape = {1};
  const TensorView view(ElementType::kInt32, shape,
                        ScatteredBytes(std::as_bytes(std::span(codes))));
  for (const std::optional<std::int32_t> axis : {std::optional<std::int32_t>(), {0}}) {
    const auto dequantizer = Dequantizer::Create(
        AffineParameters{.scale = {&scale, 1}, .zero_point = {&zero_point, 1}, .axis = axis},
        {.numerics = Numerics::kPyTorch}, {ElementType::kInt32, ElementType::kFloat32});
    ASSERT_TRUE(dequantizer.ok()) << dequantizer.status();
    std::vector<float> values(1);
    ASSERT_TRUE(dequantizer->Apply(view, std::span(values), nullptr).ok());
    EXPECT_THAT(values, ElementsAre(axis.has_value() ? 0x1p31F : -0x1p31F));
  }
}

// With a negative zero point, the lowest integer wraps around: it is the highest code.
TEST_P(Examples, UniformGivesTheLowestCodeForNanAndBothInfinities) {
  const std::vector<float> input = {kNaN, kInfinity, -kInfinity, 0.5F};
  EXPECT_THAT(QuantizedToInt8(Numerics::kTensorFlowUniform, input),
              ElementsAre(-128, -128, -128, 6));
  EXPECT_THAT(QuantizedToInt8(Numerics::kTensorFlowUniform, input, -42),
              ElementsAre(127, 127, 127, -41));
}

TEST_P(Examples, ZeroIsExactInTensorFlowAndNotInXla) {
  EXPECT_EQ(FakeQuantized(-25, 20, {.numerics = Numerics::kTensorFlow}, {0}).front(), 0);
  EXPECT_EQ(FakeQuantized(-25, 20, {.numerics = Numerics::kKerasJax}, {0}).front(), 0);
  EXPECT_NEAR(FakeQuantized(-25, 20, {.numerics = Numerics::kTensorFlowXla}, {0}).front(), -3.9e-7F,
              0.1e-7F);
}

TEST_P(Examples, RangesOfATieHaveOtherZeroPointsInXla) {
  // The zero point moves the ends of the range by a step.
  const float tensorflow =
      FakeQuantized(-0.75F, 0.75F, {.numerics = Numerics::kTensorFlow}, {-1}).front();
  const float xla =
      FakeQuantized(-0.75F, 0.75F, {.numerics = Numerics::kTensorFlowXla}, {-1}).front();
  EXPECT_FLOAT_EQ(tensorflow, -128 * (1.5F / 255));
  EXPECT_FLOAT_EQ(xla, -127 * (1.5F / 255));
}

TEST_P(Examples, TwoInMinusSixToSixIsThePublishedValueOfCpus) {
  EXPECT_FLOAT_EQ(FakeQuantized(-6, 6, {.numerics = Numerics::kTensorFlowArgs}, {2}).front(),
                  2.0235295F);
}

TEST_P(Examples, NanStaysNanInTensorFlowAndIsTheLowestInXla) {
  EXPECT_TRUE(std::isnan(FakeQuantized(-1, 1, {}, {kNaN}).front()));
  const float lowest = FakeQuantized(-1, 1, {.numerics = Numerics::kTensorFlowXla}, {-2}).front();
  EXPECT_EQ(FakeQuantized(-1, 1, {.numerics = Numerics::kTensorFlowXla}, {kNaN}).front(), lowest);
  EXPECT_TRUE(
      std::isnan(FakeQuantized(-1, 1, {.numerics = Numerics::kTensorFlowXlaArgs}, {kNaN}).front()));
}

TEST_P(Examples, WideRangesForWhichTensorFlowGivesInfinityAreRefused) {
  const float min = -1.7014117e38F;
  const float max = 1.7014117e38F;
  const auto quantization =
      FakeQuantization::Create(Range{.min = {&min, 1}, .max = {&max, 1}}, {.num_bits = 5});
  ASSERT_FALSE(quantization.ok());
  EXPECT_EQ(GetErrorDetail(quantization.status())->reason, "INVALID_RANGE");
}

TEST_P(Examples, Int4LiesTwoToAByteTheFirstInTheLowBits) {
  EXPECT_THAT(Packed(ElementType::kInt4, {0, 1, 2, 3, 4}), ElementsAre(0x10, 0x32, 0x04));
}

TEST_P(Examples, Int2LiesFourToAByteTheFirstInTheLowBits) {
  EXPECT_THAT(Packed(ElementType::kInt2, {0, 1, 1, 1, 1}), ElementsAre(0x54, 0x01));
}

TEST_P(Examples, ASubnormalInputIsInsideARangeThatBeginsAtZero) {
  for (const Numerics numerics :
       {Numerics::kTensorFlow, Numerics::kTensorFlowXla, Numerics::kKerasJax}) {
    EXPECT_EQ(Differentiated(0, 6, {.numerics = numerics}, {3}, {-1e-40F}).input.front(), 3);
  }
}

TEST_P(Examples, ASubnormalGradientIsFlushedByAProductAndPassedOnByASelection) {
  EXPECT_TRUE(SameBits(Differentiated(-1, 1, {}, {-1e-40F}, {0}).input, std::vector<float>{-0.0F}));
  for (const Numerics numerics : {Numerics::kTensorFlowXla, Numerics::kKerasJax}) {
    EXPECT_TRUE(SameBits(Differentiated(-1, 1, {.numerics = numerics}, {-1e-40F}, {0}).input,
                         std::vector<float>{-1e-40F}));
  }
}

TEST_P(Examples, OneInfiniteGradientMakesTensorFlowsSumsNanButNotXlas) {
  const std::vector<float> gradients = {1, kInfinity, 2};
  const std::vector<float> inputs = {-5, 0, 5};
  const AllGradients tensorflow = Differentiated(-1, 1, {}, gradients, inputs);
  EXPECT_TRUE(std::isnan(tensorflow.min.front()) && std::isnan(tensorflow.max.front()));
  const AllGradients xla =
      Differentiated(-1, 1, {.numerics = Numerics::kTensorFlowXla}, gradients, inputs);
  EXPECT_THAT(xla.min, ElementsAre(1));
  EXPECT_THAT(xla.max, ElementsAre(2));
}

TEST_P(Examples, KerasAlsoSumsTheGradientsAtTheEnds) {
  const std::vector<float> gradients = {1, 2};
  const std::vector<float> inputs = {0, 255};
  EXPECT_THAT(Differentiated(0, 255, {}, gradients, inputs).max, ElementsAre(0));
  const AllGradients keras =
      Differentiated(0, 255, {.numerics = Numerics::kKerasJax}, gradients, inputs);
  EXPECT_THAT(keras.min, ElementsAre(1));
  EXPECT_THAT(keras.max, ElementsAre(2));
  EXPECT_THAT(keras.input, ElementsAre(1, 2));
}

TEST_P(Examples, LiteRtsFakeQuantHasNoNarrowRange) {
  const float min = -1;
  const float max = 1;
  const auto quantization =
      FakeQuantization::Create(Range{.min = {&min, 1}, .max = {&max, 1}},
                               {.narrow_range = true, .numerics = Numerics::kLiteRt});
  ASSERT_FALSE(quantization.ok());
  EXPECT_EQ(GetErrorDetail(quantization.status())->field, "spec.narrow_range");
}

TEST_P(Examples, DynamicQuantizationOfZerosHasAScaleOfOne) {
  const std::vector<float> input(5);
  const auto quantizer = Quantizer::CreateFromData({}, {.numerics = Numerics::kOnnx},
                                                   View({5}, input), ElementType::kUint8, nullptr);
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_THAT(quantizer->parameters().scale, ElementsAre(1));
  EXPECT_THAT(quantizer->parameters().zero_point, ElementsAre(0));
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(Examples);

}  // namespace
}  // namespace quantd::core
