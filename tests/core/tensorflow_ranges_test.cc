// What TensorFlow's older quantizing ops make of ranges. The numbers are those that
// TensorFlow 2.21 gives.

#include "core/tensorflow_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/quantizer.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Numerics kMinCombined = Numerics::kTensorFlowQuantizeV2MinCombined;
constexpr Numerics kMinFirst = Numerics::kTensorFlowQuantizeV2MinFirst;
constexpr Numerics kScaled = Numerics::kTensorFlowQuantizeV2Scaled;
constexpr Numerics kModes[] = {kMinCombined, kMinFirst, kScaled};

// A range for the whole tensor that owns its ends.
struct Ends {
  float min;
  float max;
  std::optional<std::int32_t> axis = {};

  Range range() const { return {.min = {&min, 1}, .max = {&max, 1}, .axis = axis}; }
};

absl::StatusOr<Quantizer> QuantizerOf(const Ends& ends, const QuantizationSpec& spec,
                                      ElementType type = ElementType::kInt8) {
  return Quantizer::Create(ends.range(), spec, {ElementType::kFloat32, type});
}

std::vector<std::int8_t> Codes(const Ends& ends, const QuantizationSpec& spec,
                               const std::vector<float>& input) {
  const auto quantizer = QuantizerOf(ends, spec);
  EXPECT_TRUE(quantizer.ok()) << quantizer.status();
  std::vector<std::int8_t> codes(input.size());
  const OutputView output(ElementType::kInt8, codes.data(), codes.size());
  EXPECT_TRUE(
      quantizer->Apply(View({static_cast<std::int64_t>(input.size())}, input), output, nullptr)
          .ok());
  return codes;
}

std::vector<float> Values(const Ends& ends, const QuantizationSpec& spec,
                          const std::vector<std::int8_t>& codes) {
  const auto dequantizer =
      Dequantizer::Create(ends.range(), spec, {ElementType::kInt8, ElementType::kFloat32});
  EXPECT_TRUE(dequantizer.ok()) << dequantizer.status();
  std::vector<float> values(codes.size());
  const Shape shape = {static_cast<std::int64_t>(codes.size())};
  const TensorView view(ElementType::kInt8, shape, ScatteredBytes(std::as_bytes(std::span(codes))));
  EXPECT_TRUE(dequantizer->Apply(view, std::span(values), nullptr).ok());
  return values;
}

std::vector<float> FakeQuantized(const Ends& ends, QuantizationSpec spec,
                                 const std::vector<float>& input) {
  spec.numerics = Numerics::kTensorFlowQuantizeAndDequantize;
  const auto quantization = FakeQuantization::Create(ends.range(), spec);
  EXPECT_TRUE(quantization.ok()) << quantization.status();
  return Apply(*quantization, View({static_cast<std::int64_t>(input.size())}, input));
}

void ExpectRefusal(const absl::Status& status, const std::string& reason,
                   const std::string& field) {
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("; expected "));
  EXPECT_EQ(GetErrorDetail(status)->reason, reason) << status;
  EXPECT_EQ(GetErrorDetail(status)->field, field) << status;
}

TEST(QuantizeV2, WidensTheRangeToIncludeZero) {
  for (const Numerics mode : {kMinCombined, kMinFirst}) {
    const NudgedRange above = *QuantizerOf({2, 3}, {.numerics = mode})->nudged_range();
    EXPECT_THAT(above.min, ElementsAre(0));
    EXPECT_THAT(above.max, ElementsAre(3));
    const NudgedRange below = *QuantizerOf({-3, -2}, {.numerics = mode})->nudged_range();
    EXPECT_THAT(below.min, ElementsAre(-3));
    EXPECT_THAT(below.max, ElementsAre(0));
  }
}

TEST(QuantizeV2, GivesEmptyRangesAWidth) {
  for (const Numerics mode : {kMinCombined, kMinFirst}) {
    EXPECT_THAT(QuantizerOf({0, 0}, {.numerics = mode})->nudged_range()->max, ElementsAre(0.01F));
    EXPECT_THAT(QuantizerOf({5, 5}, {.numerics = mode})->nudged_range()->max, ElementsAre(5));
    EXPECT_THAT(QuantizerOf({-1e-30F, 1e-30F}, {.numerics = mode})->nudged_range()->max,
                ElementsAre(0.01F));
  }
}

TEST(QuantizeV2, ScalesASignedRangeByItsLargerSide) {
  const NudgedRange range = *QuantizerOf({-1, 1}, {.numerics = kScaled})->nudged_range();
  EXPECT_THAT(range.min, ElementsAre(-1.007874F));
  EXPECT_THAT(range.max, ElementsAre(1));
  const NudgedRange narrow =
      *QuantizerOf({-1, 1}, {.narrow_range = true, .numerics = kScaled})->nudged_range();
  EXPECT_THAT(narrow.min, ElementsAre(-1));
}

TEST(QuantizeV2, ModesGiveZeroAndTiesOtherCodes) {
  const std::vector<float> input = {0, -0.3F, -1, 5, -5};
  EXPECT_THAT(Codes({-1, 1}, {.numerics = kMinCombined}, input),
              ElementsAre(-1, -39, -128, 127, -128));
  EXPECT_THAT(Codes({-1, 1}, {.numerics = kMinFirst}, input), ElementsAre(0, -38, -128, 127, -128));
  EXPECT_THAT(Codes({-1, 1}, {.numerics = kScaled}, input), ElementsAre(0, -38, -127, 127, -128));
}

TEST(QuantizeV2, RoundsTiesAsItIsTold) {
  const std::vector<float> input = {0.5F, 1.5F, -0.5F};
  EXPECT_THAT(Codes({-128, 127}, {.numerics = kScaled}, input), ElementsAre(1, 2, -1));
  EXPECT_THAT(
      Codes({-128, 127}, {.numerics = kScaled, .rounding = Rounding::kHalfAwayFromZero}, input),
      ElementsAre(1, 2, -1));
  EXPECT_THAT(Codes({-128, 127}, {.numerics = kScaled, .rounding = Rounding::kHalfToEven}, input),
              ElementsAre(0, 2, 0));
}

TEST(QuantizeV2, ItsRangeIsTheRangeOfDequantize) {
  const std::vector<float> input = {0.1F, 2, -0.7F};
  for (const Numerics mode : kModes) {
    const NudgedRange range = *QuantizerOf({0.5F, 2.5F}, {.numerics = mode})->nudged_range();
    const std::vector<std::int8_t> codes = Codes({0.5F, 2.5F}, {.numerics = mode}, input);
    const std::vector<float> values =
        Values({range.min[0], range.max[0]}, {.numerics = mode}, codes);
    EXPECT_NEAR(values[0], 0.1F, range.scale[0]);
    EXPECT_NEAR(values[1], 2, range.scale[0]);
  }
}

TEST(QuantizeV2, HasACodeOfZero) {
  for (const Numerics mode : kModes) {
    const auto quantizer = QuantizerOf({-1, 3}, {.numerics = mode});
    EXPECT_THAT(Codes({-1, 3}, {.numerics = mode}, {0}),
                ElementsAre(quantizer->parameters().zero_point[0]));
  }
}

TEST(Dequantize, TakesTheRangeAsItIs) {
  EXPECT_THAT(Values({2, 3}, {.numerics = kMinCombined}, {-128, 127}), ElementsAre(2, 3));
  EXPECT_THAT(Values({2, 3}, {.numerics = kMinFirst}, {-128, 127}), ElementsAre(2, 3));
  EXPECT_THAT(Values({2, 3}, {.numerics = kScaled}, {-128, 127}), ElementsAre(-3.023622F, 3));
  EXPECT_THAT(Values({-1, 1}, {.numerics = kMinFirst}, {-128, -1, 0}),
              ElementsAre(-0.99607849F, -9.3132257e-10F, 0.0078431368F));
}

TEST(QuantizeV2, RefusesNanWithTheIndexOfTheFirst) {
  for (const Numerics mode : kModes) {
    const auto quantizer = QuantizerOf({-1, 1}, {.numerics = mode});
    std::vector<std::int8_t> codes(3);
    const OutputView output(ElementType::kInt8, codes.data(), codes.size());
    const absl::Status status = quantizer->Apply(View({3}, {0, kNaN, kNaN}), output, nullptr);
    ExpectRefusal(status, "INVALID_VALUE", "input.data");
    EXPECT_EQ(GetErrorDetail(status)->metadata.at("index"), "1");
  }
}

TEST(QuantizeV2, RefusesCodesThatDoNotFillTheirType) {
  for (const Numerics mode : kModes) {
    ExpectRefusal(QuantizerOf({-1, 1}, {.num_bits = 4, .numerics = mode}).status(),
                  "INVALID_NUM_BITS", "spec.num_bits");
    ExpectRefusal(QuantizerOf({-1, 1}, {.numerics = mode}, ElementType::kInt4).status(),
                  "UNSUPPORTED_DATA_TYPE", "output_type");
    EXPECT_TRUE(QuantizerOf({-1, 1}, {.num_bits = 8, .numerics = mode}).ok());
  }
}

TEST(QuantizeV2, RefusesRangesThatHaveNoScale) {
  for (const Numerics mode : {kMinCombined, kMinFirst}) {
    ExpectRefusal(QuantizerOf({-3e38F, 3e38F}, {.numerics = mode}).status(), "INVALID_RANGE",
                  "range.max[0]");
  }
  ExpectRefusal(QuantizerOf({0, 3.4e38F}, {.numerics = kScaled}).status(), "INVALID_RANGE",
                "range.max[0]");
  ExpectRefusal(QuantizerOf({-3, -2}, {.numerics = kScaled}, ElementType::kUint8).status(),
                "INVALID_RANGE", "range.max[0]");
  for (const Numerics mode : kModes) {
    ExpectRefusal(QuantizerOf({kNaN, 1}, {.numerics = mode}).status(), "INVALID_RANGE",
                  "range.min[0]");
    ExpectRefusal(QuantizerOf({-1, 1e-40F}, {.numerics = mode}).status(), "INVALID_RANGE",
                  "range.max[0]");
    ExpectRefusal(QuantizerOf({2, 1}, {.numerics = mode}).status(), "INVALID_RANGE",
                  "range.min[0]");
  }
}

TEST(Dequantize, RefusesRangesThatHaveNoScale) {
  for (const Numerics mode : {kMinCombined, kMinFirst}) {
    for (const Ends ends : {Ends{1, 1}, Ends{-1e-36F, 1e-36F}, Ends{-3e38F, 3e38F}}) {
      ExpectRefusal(Dequantizer::Create(ends.range(), {.numerics = mode},
                                        {ElementType::kInt8, ElementType::kFloat32})
                        .status(),
                    "INVALID_RANGE", "range.max[0]");
    }
  }
  // The lowest code would stand for an infinity.
  ExpectRefusal(Dequantizer::Create(Ends{0, 3.4e38F}.range(), {.numerics = kScaled},
                                    {ElementType::kInt8, ElementType::kFloat32})
                    .status(),
                "INVALID_RANGE", "range.max[0]");
}

TEST(QuantizeV2, HasChannelsAsTheOpDoes) {
  const Ends channel = {-1, 1, 0};
  EXPECT_TRUE(QuantizerOf(channel, {.numerics = kMinCombined}).ok());
  EXPECT_TRUE(QuantizerOf(channel, {.numerics = kScaled}).ok());
  ExpectRefusal(QuantizerOf(channel, {.numerics = kMinFirst}).status(), "UNSUPPORTED_NUMERICS",
                "spec.numerics");
}

TEST(Rounding, IsRefusedWhereTheNumericsHasNoChoice) {
  for (const Numerics numerics : {kMinCombined, kMinFirst, Numerics::kTensorFlow}) {
    ExpectRefusal(
        QuantizerOf({-1, 1}, {.numerics = numerics, .rounding = Rounding::kHalfAwayFromZero})
            .status(),
        "UNSUPPORTED_NUMERICS", "spec.rounding");
  }
  const auto status =
      QuantizerOf({-1, 1}, {.numerics = kScaled, .rounding = Rounding::kHalfUp}).status();
  ExpectRefusal(status, "UNSUPPORTED_NUMERICS", "spec.rounding");
  EXPECT_EQ(GetErrorDetail(status)->metadata.at("supported"), "HALF_TO_EVEN, HALF_AWAY_FROM_ZERO");
  const float min = -1;
  const float max = 1;
  ExpectRefusal(FakeQuantization::Create(Range{.min = {&min, 1}, .max = {&max, 1}},
                                         {.numerics = Numerics::kTensorFlowQuantizeAndDequantize,
                                          .rounding = Rounding::kHalfAwayFromZero})
                    .status(),
                "UNSUPPORTED_NUMERICS", "spec.rounding");
}

TEST(SignedInput, IsRefusedWhereTheNumericsHasNoChoice) {
  for (const Numerics numerics : {kScaled, Numerics::kTensorFlow}) {
    ExpectRefusal(QuantizerOf({-1, 1}, {.numerics = numerics, .signed_input = true}).status(),
                  "UNSUPPORTED_NUMERICS", "spec.signed_input");
  }
}

TEST(QuantizeAndDequantize, HasCodesOnBothSidesOfZeroIfTheInputIsSigned) {
  const std::vector<float> input = {-5, -0.3F, 0.3F, 5};
  EXPECT_THAT(FakeQuantized({-1, 1}, {.signed_input = true}, input),
              ElementsAre(-1.007874F, -0.2992126F, 0.2992126F, 1));
  EXPECT_THAT(FakeQuantized({-1, 1}, {.narrow_range = true, .signed_input = true}, input),
              ElementsAre(-1, -0.2992126F, 0.2992126F, 1));
  EXPECT_THAT(FakeQuantized({-1, 1}, {}, input), ElementsAre(0, 0, 0.29803923F, 1));
}

TEST(QuantizeAndDequantize, RoundsTiesAsItIsTold) {
  const std::vector<float> input = {0.5F, 1.5F, -0.5F};
  const Ends ends = {-128, 127};
  EXPECT_THAT(FakeQuantized(ends, {.signed_input = true}, input), ElementsAre(0, 2, 0));
  EXPECT_THAT(FakeQuantized(ends, {.signed_input = true, .rounding = Rounding::kHalfUp}, input),
              ElementsAre(1, 2, 0));
}

TEST(QuantizeAndDequantize, ARangeWithoutASideOfItsCodesGivesZerosOfTheSignsOfTensorFlow) {
  const std::vector<float> input = {kNaN, 0, -0.0F, -1e-40F, kInfinity, -kInfinity};
  EXPECT_TRUE(SameBits(FakeQuantized({0, 0}, {.signed_input = true}, input),
                       std::vector<float>{kNaN, 0, -0.0F, -0.0F, 0, -0.0F}));
  EXPECT_TRUE(
      SameBits(FakeQuantized({0, 0}, {}, input), std::vector<float>{kNaN, 0, -0.0F, -0.0F, 0, 0}));
  EXPECT_TRUE(SameBits(FakeQuantized({-2, -1}, {.rounding = Rounding::kHalfUp}, input),
                       std::vector<float>{kNaN, -0.0F, -0.0F, -0.0F, -0.0F, -0.0F}));
}

TEST(QuantizeAndDequantize, SaysWhichRangeItUsed) {
  const Ends ends = {-1, 2};
  const auto range = [&](const QuantizationSpec& choices) {
    QuantizationSpec spec = choices;
    spec.numerics = Numerics::kTensorFlowQuantizeAndDequantize;
    return *FakeQuantization::Create(ends.range(), spec)->nudged_range();
  };
  const NudgedRange with_sign = range({.signed_input = true});
  EXPECT_THAT(with_sign.min, ElementsAre(-128 * (2.0F / 127)));
  EXPECT_THAT(with_sign.max, ElementsAre(2));
  EXPECT_THAT(with_sign.scale, ElementsAre(2.0F / 127));
  EXPECT_THAT(with_sign.zero_point, ElementsAre(128));
  const NudgedRange without = range({});
  EXPECT_THAT(without.min, ElementsAre(0));
  EXPECT_THAT(without.zero_point, ElementsAre(0));
}

TEST(QuantizeAndDequantize, RefusesRangesThatHaveNoScale) {
  for (const Ends ends : {Ends{-1e-37F, 1e-37F}, Ends{-3e38F, 3.4028235e38F}, Ends{-1e-40F, 1},
                          Ends{-1, kInfinity}, Ends{2, 1}}) {
    const auto status = FakeQuantization::Create(
                            ends.range(), {.numerics = Numerics::kTensorFlowQuantizeAndDequantize,
                                           .signed_input = true})
                            .status();
    ASSERT_FALSE(status.ok()) << ends.min;
    EXPECT_EQ(GetErrorDetail(status)->reason, "INVALID_RANGE") << status;
  }
}

TEST(QuantizeAndDequantize, HasNoCodes) {
  ExpectRefusal(
      QuantizerOf({-1, 1}, {.numerics = Numerics::kTensorFlowQuantizeAndDequantize}).status(),
      "UNSUPPORTED_NUMERICS", "spec.numerics");
}

TEST(QuantizeAndDequantize, PassesGradientsWithinTheRangeAsItIsGiven) {
  // Outside of the range, and inside of the one that is used.
  const std::vector<float> inputs = {-1.005F, -1, 0.5F, 1, 1.1F, kNaN, -1e-40F};
  const std::vector<float> gradients = {1, 2, -3, 4, -5, 6, 1e-40F};
  const Ends ends = {-1, 1};
  const auto quantization = FakeQuantization::CreateForGradient(
      ends.range(), {.numerics = Numerics::kTensorFlowQuantizeAndDequantize, .signed_input = true});
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  const AllGradients result = ApplyGradient(*quantization, View({7}, gradients), View({7}, inputs));
  EXPECT_TRUE(SameBits(result.input, std::vector<float>{0, 2, -3, 4, -0.0F, 0, 0}));
  EXPECT_THAT(result.min, ElementsAre(0));
  EXPECT_THAT(result.max, ElementsAre(0));
}

TEST(QuantizeAndDequantize, TheGradientsOfTheRangeAreZeroWhateverTheGradientsAre) {
  const Ends ends = {0, 0};
  const auto quantization = FakeQuantization::CreateForGradient(
      ends.range(), {.numerics = Numerics::kTensorFlowQuantizeAndDequantize});
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  const AllGradients result =
      ApplyGradient(*quantization, View({3}, {kInfinity, kNaN, 1}), View({3}, {5, -5, 0}));
  EXPECT_TRUE(SameBits(result.input, std::vector<float>{kNaN, kNaN, 1}));
  EXPECT_THAT(result.min, ElementsAre(0));
  EXPECT_THAT(result.max, ElementsAre(0));
}

TEST(QuantizeAndDequantize, ComputesDoublesInDouble) {
  const Ends ends = {-1, 1};
  const auto quantization = FakeQuantization::Create(
      ends.range(), {.numerics = Numerics::kTensorFlowQuantizeAndDequantize, .signed_input = true},
      ElementType::kFloat64);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  const std::vector<double> input = {0.3, -5, 1e-310, -1e-310};
  std::vector<double> output(input.size());
  const Shape shape = {4};
  const TensorView view(ElementType::kFloat64, shape,
                        ScatteredBytes(std::as_bytes(std::span(input))));
  const OutputView doubles(ElementType::kFloat64, output.data(), output.size());
  ASSERT_TRUE(quantization->Apply(view, doubles, nullptr).ok());
  EXPECT_TRUE(SameBits(output, std::vector<double>{38 * (1.0 / 127), -128 * (1.0 / 127), 0, -0.0}));
}

}  // namespace
}  // namespace quantd::core
