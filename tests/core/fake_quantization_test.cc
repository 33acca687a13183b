// Tests what FakeQuantization promises beside TensorFlow's bits: errors, plans that
// are used again, channels of zeros, empty tensors and scalars.

#include "core/fake_quantization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/numerics.h"
#include "core/reference.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

absl::StatusOr<FakeQuantization> Create(const std::vector<float>& min,
                                        const std::vector<float>& max,
                                        std::optional<std::int32_t> axis = {}) {
  return FakeQuantization::Create(Range{.min = min, .max = max, .axis = axis}, {});
}

absl::StatusOr<FakeQuantization> CreateForGradient(const std::vector<float>& min,
                                                   const std::vector<float>& max,
                                                   std::optional<std::int32_t> axis = {}) {
  return FakeQuantization::CreateForGradient(Range{.min = min, .max = max, .axis = axis}, {});
}

std::string ReasonOf(const absl::Status& status) {
  return GetErrorDetail(status).value_or(ErrorDetail{}).reason;
}

std::string FieldOf(const absl::Status& status) {
  return GetErrorDetail(status).value_or(ErrorDetail{}).field;
}

TEST(FakeQuantization, RefusesSeveralRangesWithoutAnAxis) {
  EXPECT_EQ(ReasonOf(Create({-1, -1}, {1, 1}).status()), "RANGE_SIZE_MISMATCH");
}

TEST(FakeQuantization, RefusesARangeWithoutValues) {
  EXPECT_EQ(ReasonOf(Create({}, {}).status()), "RANGE_SIZE_MISMATCH");
}

TEST(FakeQuantization, RefusesAnInvalidRange) {
  EXPECT_EQ(ReasonOf(Create({1}, {-1}).status()), "INVALID_RANGE");
}

TEST(FakeQuantization, RefusesShapesWithAnotherNumberOfChannels) {
  const auto quantization = Create({-1, -1}, {1, 1}, 1);
  const absl::Status status = quantization->CheckShape(Shape{2, 3});
  EXPECT_EQ(ReasonOf(status), "RANGE_SIZE_MISMATCH");
  EXPECT_EQ(GetErrorDetail(status)->metadata.at("size"), "2");
  EXPECT_EQ(GetErrorDetail(status)->metadata.at("expected"), "3");
  EXPECT_EQ(ReasonOf(quantization->CheckShape(Shape{2, 1})), "RANGE_SIZE_MISMATCH");
  EXPECT_TRUE(quantization->CheckShape(Shape{3, 2}).ok());
}

TEST(FakeQuantization, RefusesShapesWithoutTheAxis) {
  const auto quantization = Create({-1, -1}, {1, 1}, 1);
  EXPECT_EQ(ReasonOf(quantization->CheckShape(Shape{2})), "AXIS_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(quantization->CheckShape(Shape{})), "AXIS_OUT_OF_RANGE");
}

TEST(FakeQuantization, RefusesANegativeDimension) {
  const auto quantization = Create({-1}, {1});
  const absl::Status status = quantization->CheckShape(Shape{2, -3});
  EXPECT_EQ(ReasonOf(status), "TENSOR_SIZE_MISMATCH");
  EXPECT_EQ(FieldOf(status), "shape[1]");
}

TEST(FakeQuantization, RefusesToApplyToAShapeThatDoesNotFit) {
  const auto quantization = Create({-1, -1}, {1, 1}, 0);
  const std::vector<float> input(3);
  std::vector<float> output(3);
  EXPECT_EQ(ReasonOf(quantization->Apply(View({3}, input), std::span(output), nullptr)),
            "RANGE_SIZE_MISMATCH");
}

TEST(FakeQuantization, RefusesTensorsOfAnotherSizeThanTheirShape) {
  const auto quantization = Create({-1}, {1});
  const std::vector<float> input(3);
  std::vector<float> output(3);
  const absl::Status short_input =
      quantization->Apply(View({4}, input), std::span(output), nullptr);
  EXPECT_EQ(ReasonOf(short_input), "TENSOR_SIZE_MISMATCH");
  EXPECT_EQ(FieldOf(short_input), "input");
  const absl::Status short_output =
      quantization->Apply(View({3}, input), std::span(output).first(2), nullptr);
  EXPECT_EQ(ReasonOf(short_output), "TENSOR_SIZE_MISMATCH");
  EXPECT_EQ(FieldOf(short_output), "output");
}

class RefusedGradients : public testing::Test {
 protected:
  // Calls ApplyGradient() with lists of these sizes, and returns the field at fault.
  struct Sizes {
    std::size_t gradients = 3;
    std::size_t inputs = 3;
    std::size_t input_gradients = 3;
    std::size_t min = 1;
    std::size_t max = 1;
    std::size_t min_sum = 0;
    std::size_t max_sum = 0;
  };
  static std::string FieldAtFault(const Sizes& sizes) {
    const Shape shape = {3};
    const std::vector<float> floats(9);
    std::vector<float> written(9);
    std::vector<double> sums(9);
    const std::span<const float> read(floats);
    const FakeQuantization::Gradients result{
        .input = std::span(written).first(sizes.input_gradients),
        .min = std::span(written).first(sizes.min),
        .max = std::span(written).first(sizes.max),
        .min_sum = std::span(sums).first(sizes.min_sum),
        .max_sum = std::span(sums).first(sizes.max_sum)};
    const absl::Status status = CreateForGradient({-1}, {1})->ApplyGradient(
        {shape, read.first(sizes.gradients)}, {shape, read.first(sizes.inputs)}, result, nullptr);
    return status.ok() ? "none" : FieldOf(status);
  }
};

TEST_F(RefusedGradients, NameTheListOfAnotherSize) {
  EXPECT_EQ(FieldAtFault({}), "none");
  EXPECT_EQ(FieldAtFault({.gradients = 2}), "gradients");
  EXPECT_EQ(FieldAtFault({.inputs = 2}), "inputs");
  EXPECT_EQ(FieldAtFault({.input_gradients = 2}), "input_gradients");
  EXPECT_EQ(FieldAtFault({.min = 2}), "min_gradient");
  EXPECT_EQ(FieldAtFault({.max = 0}), "max_gradient");
}

TEST_F(RefusedGradients, NameASumThatIsLeftOutAlone) {
  EXPECT_EQ(FieldAtFault({.min_sum = 1, .max_sum = 1}), "none");
  EXPECT_EQ(FieldAtFault({.min_sum = 1}), "max_gradient_sum");
  EXPECT_EQ(FieldAtFault({.max_sum = 1}), "min_gradient_sum");
}

TEST(FakeQuantization, RefusesGradientsOfAnotherShapeThanTheInputs) {
  const auto quantization = CreateForGradient({-1}, {1});
  const std::vector<float> six(6);
  std::vector<float> result(6);
  std::vector<float> one(1);
  const absl::Status status = quantization->ApplyGradient(
      View({3, 2}, six), View({2, 3}, six),
      {.input = std::span(result), .min = one, .max = std::span(result).first(1)}, nullptr);
  EXPECT_EQ(ReasonOf(status), "SHAPE_MISMATCH");
}

TEST(FakeQuantization, GivesTheSumsBeforeTheyAreRounded) {
  const auto quantization = CreateForGradient({-1}, {1});
  const std::vector<float> gradients = {1, 0x1p-30F, 1};
  const std::vector<float> inputs = {-5, -5, 5};
  std::vector<float> input_gradients(3);
  float min = 0;
  float max = 0;
  double min_sum = 0;
  double max_sum = 0;
  ASSERT_TRUE(quantization
                  ->ApplyGradient(View({3}, gradients), View({3}, inputs),
                                  {.input = std::span(input_gradients),
                                   .min = {&min, 1},
                                   .max = {&max, 1},
                                   .min_sum = {&min_sum, 1},
                                   .max_sum = {&max_sum, 1}},
                                  nullptr)
                  .ok());
  EXPECT_EQ(min, 1);
  EXPECT_EQ(min_sum, 1 + 0x1p-30);
  EXPECT_EQ(max_sum, 1);
}

TEST(FakeQuantization, TakesAScalar) {
  EXPECT_THAT(Apply(*Create({0}, {255}), View({}, {41.6F})), ElementsAre(42));
}

TEST(FakeQuantization, TakesAnEmptyTensor) {
  for (const std::optional<std::int32_t> axis : {std::optional<std::int32_t>(), {0}}) {
    const std::size_t channels = axis.has_value() ? 2 : 1;
    const auto quantization =
        Create(std::vector<float>(channels, -1), std::vector<float>(channels, 1), axis);
    ASSERT_TRUE(quantization.ok()) << quantization.status();
    EXPECT_THAT(Apply(*quantization, View({2, 0}, {})), IsEmpty());
    const auto gradient =
        CreateForGradient(std::vector<float>(channels, -1), std::vector<float>(channels, 1), axis);
    const AllGradients all = ApplyGradient(*gradient, View({2, 0}, {}), View({2, 0}, {}));
    EXPECT_THAT(all.min, Each(0));
    EXPECT_THAT(all.max, Each(0));
  }
}

TEST(FakeQuantization, TakesAnAxisWithoutChannels) {
  const auto quantization = Create({}, {}, 1);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  EXPECT_THAT(Apply(*quantization, View({2, 0}, {})), IsEmpty());
}

// One quantization of five channels, applied to tensors of many shapes.
class SeveralShapes : public testing::Test {
 protected:
  static constexpr std::size_t kChannels = 5;

  Range range() const { return {.min = min_, .max = max_, .axis = 1}; }

  static std::vector<float> Values(const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape[0] * shape[1] * shape[2]));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(i % 97) * 0.07F - 3;
    }
    return values;
  }

  // Holds the quantization of a tensor of this shape to the reference.
  void ExpectTheReferencesBits(const FakeQuantization& quantization,
                               const FakeQuantization& gradient, const Shape& shape) const {
    const std::vector<float> values = Values(shape);
    EXPECT_TRUE(SameBits(Apply(quantization, View(shape, values)),
                         *reference::FakeQuantize(shape, values, range(), {})));
    EXPECT_TRUE(
        SameBits(ApplyGradient(gradient, View(shape, values), View(shape, values)).input,
                 reference::FakeQuantizeGradient(shape, values, values, range(), {})->input));
  }

  // Short runs, which are expanded to columns, of two widths; and long ones.
  static std::vector<Shape> Shapes() {
    return {{40, kChannels, 1}, {7, kChannels, 1}, {9, kChannels, 3}, {1, kChannels, 1},
            {3, kChannels, 70}, {2, kChannels, 3}, {0, kChannels, 1}, {40, kChannels, 1}};
  }

 private:
  std::vector<float> min_ = {-1, -2, 0, -0.5F, 1};
  std::vector<float> max_ = {1, 1, 0, 0.25F, 2};
};

TEST_F(SeveralShapes, AreQuantizedByTheSamePlan) {
  const FakeQuantization quantization = *FakeQuantization::Create(range(), {});
  const FakeQuantization gradient = *FakeQuantization::CreateForGradient(range(), {});
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(testing::PrintToString(shape));
    ExpectTheReferencesBits(quantization, gradient, shape);
  }
}

TEST_F(SeveralShapes, AreQuantizedByCopiesOfThePlanFromSeveralThreads) {
  const FakeQuantization quantization = *FakeQuantization::Create(range(), {});
  const FakeQuantization gradient = *FakeQuantization::CreateForGradient(range(), {});
  const auto quantize_all = [&, quantization, gradient](std::size_t first) {
    const std::vector<Shape> shapes = Shapes();
    for (std::size_t i = 0; i < 20 * shapes.size(); ++i) {
      ExpectTheReferencesBits(quantization, gradient, shapes[(first + i) % shapes.size()]);
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back(quantize_all, i);
  }
}

// The middle one of three channels is all zeros. The channels lie as columns, as
// short runs, and as long ones.
class ChannelOfZeros : public EverySimdTarget {
 protected:
  static constexpr std::int64_t kInners[] = {1, 5, 64, 200};
  static constexpr std::int64_t kOuter = 50;

  static FakeQuantization Quantization() { return *Create({-1, 0, -2}, {1, 0, 2}, 1); }
  static Shape ShapeOf(std::int64_t inner) { return {kOuter, 3, inner}; }
  static bool InChannelOfZeros(std::size_t element, std::int64_t inner) {
    return element / static_cast<std::size_t>(inner) % 3 == 1;
  }
  static std::vector<float> Inputs(std::int64_t inner) {
    std::vector<float> inputs(static_cast<std::size_t>(kOuter * 3 * inner), 0.7F);
    for (std::size_t i = 0; i + 4 < inputs.size(); i += 8) {
      inputs[i] = kNaN;
      inputs[i + 4] = kInfinity;
    }
    return inputs;
  }
};

TEST_P(ChannelOfZeros, GivesZerosForAnyInput) {
  for (const std::int64_t inner : kInners) {
    const std::vector<float> output = Apply(Quantization(), View(ShapeOf(inner), Inputs(inner)));
    for (std::size_t i = 0; i < output.size(); ++i) {
      ASSERT_EQ(InChannelOfZeros(i, inner), output[i] == 0) << i << " of inner " << inner;
    }
  }
}

TEST_P(ChannelOfZeros, PassesItsGradientsToTheInput) {
  for (const std::int64_t inner : kInners) {
    const std::vector<float> inputs = Inputs(inner);
    const std::vector<float> gradients(inputs.size(), 3);
    const AllGradients all =
        ApplyGradient(*CreateForGradient({-1, 0, -2}, {1, 0, 2}, 1),
                      View(ShapeOf(inner), gradients), View(ShapeOf(inner), inputs));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool passes = InChannelOfZeros(i, inner) || inputs[i] == 0.7F;
      ASSERT_EQ(all.input[i], passes ? 3 : 0) << i << " of inner " << inner;
    }
    EXPECT_EQ(all.min[1], 0);
    EXPECT_EQ(all.max[1], 0);
    EXPECT_NE(all.max[0], 0);
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(ChannelOfZeros);

class SmallScale : public EverySimdTarget {};

// Quotients overflow, and so may each part of a sum for them.
TEST_P(SmallScale, LimitsTheLargestNumbersOnBothSides) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kLarge[] = {kLargest, -kLargest, kInfinity, -kInfinity, 1e30F, -1e30F};
  std::vector<float> input;
  for (std::size_t i = 0; i < 200; ++i) {
    input.push_back(kLarge[i % std::size(kLarge)]);
  }
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(input.size())};
  const std::vector<std::int32_t> zero_point = {1};
  for (const float scale : {5.7888907e-9F, 1.1471553e-10F, 1.3e-9F, 7.7e-12F, 0x1p-50F, 2e-25F}) {
    const std::vector<float> scales = {scale};
    const AffineParameters affine = {.scale = scales, .zero_point = zero_point};
    for (const Numerics numerics : {Numerics::kOnnx, Numerics::kPyTorch, Numerics::kLiteRt,
                                    Numerics::kLiteRtXnnpack, Numerics::kTensorFlowUniform}) {
      const QuantizationSpec spec = {.numerics = numerics, .quant_min = -128, .quant_max = 127};
      std::vector<float> output(input.size());
      ASSERT_TRUE(FakeQuantization::Create(affine, spec)
                      ->Apply(TensorView(shape, std::span<const float>(input)),
                              std::span<float>(output), nullptr)
                      .ok());
      EXPECT_TRUE(SameBits(output, *reference::FakeQuantize(shape, input, affine, spec)))
          << RowOf(numerics).name << ", scale " << scale;
    }
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(SmallScale);

TEST(FakeQuantization, GivesZerosForARangeOfZerosPerTensor) {
  EXPECT_TRUE(SameBits(Apply(*Create({0}, {0}), View({3}, {1, kNaN, -kInfinity})),
                       std::vector<float>{0, 0, 0}));
}

TEST(FakeQuantization, ReportsTheNudgedRange) {
  const auto quantization = Create({2, -6}, {5, 6}, 0);
  EXPECT_EQ(quantization->channel_count(), 2U);
  EXPECT_THAT(quantization->nudged_range()->min, ElementsAre(0, testing::FloatNear(-6, 0.05F)));
  EXPECT_THAT(quantization->nudged_range()->zero_point, ElementsAre(0, 128));
}

// So many columns that their parameters are made for each block.
TEST(FakeQuantization, IsTheSameForAnyNumberOfChannels) {
  constexpr std::size_t kChannels = 70'001;
  const Shape shape = {3, kChannels};
  std::vector<float> inputs(3 * kChannels);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    inputs[i] = static_cast<float>(i % 1013) / 100 - 5;
  }
  inputs[2 * kChannels + 14] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> min(kChannels);
  std::vector<float> max(kChannels);
  for (std::size_t i = 0; i < kChannels; ++i) {
    // Some have zeros.
    max[i] = static_cast<float>(i % 7);
    min[i] = -max[i] / 2;
  }
  const Range range = {.min = min, .max = max, .axis = 1};
  const auto expected = reference::FakeQuantize(shape, inputs, range, {});
  const auto quantization = FakeQuantization::Create(range, {});
  ASSERT_TRUE(expected.ok() && quantization.ok()) << expected.status() << quantization.status();
  EXPECT_TRUE(SameBits(Apply(*quantization, View(shape, inputs)), *expected));

  const auto expected_gradients = reference::FakeQuantizeGradient(shape, inputs, inputs, range, {});
  const auto differentiation = FakeQuantization::CreateForGradient(range, {});
  ASSERT_TRUE(expected_gradients.ok() && differentiation.ok());
  const AllGradients gradients =
      ApplyGradient(*differentiation, View(shape, inputs), View(shape, inputs));
  EXPECT_TRUE(SameBits(gradients.input, expected_gradients->input));
  for (std::size_t i = 0; i < kChannels; ++i) {
    ASSERT_EQ(gradients.min[i], static_cast<float>(expected_gradients->min[i])) << i;
    ASSERT_EQ(gradients.max[i], static_cast<float>(expected_gradients->max[i])) << i;
  }
}

}  // namespace
}  // namespace quantd::core
