#include "core/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ConversionTypes kFloatToUint8 = {ElementType::kFloat32, ElementType::kUint8};
constexpr ConversionTypes kFloatToInt8 = {ElementType::kFloat32, ElementType::kInt8};

// Parameters that own their values.
struct Given {
  std::vector<float> scale = {0.5F};
  std::vector<std::int32_t> zero_point = {};
  std::optional<std::int32_t> axis = {};
  std::optional<std::uint32_t> block_size = {};

  AffineParameters parameters() const {
    return {.scale = scale, .zero_point = zero_point, .axis = axis, .block_size = block_size};
  }
};

// What a refusal says.
struct Refusal {
  std::string reason;
  std::string field;
};

Refusal RefusalOf(const absl::Status& status) {
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("; expected "));
  const ErrorDetail detail = GetErrorDetail(status).value_or(ErrorDetail{});
  return {detail.reason, detail.field};
}

void PrintTo(const Refusal& refusal, std::ostream* output) {
  *output << refusal.reason << " at " << refusal.field;
}

bool operator==(const Refusal& a, const Refusal& b) {
  return a.reason == b.reason && a.field == b.field;
}

Refusal RefusalOfScales(const Given& given, const QuantizationSpec& spec = {},
                        const ConversionTypes& types = kFloatToUint8) {
  return RefusalOf(Quantizer::Create(given.parameters(), spec, types).status());
}

Refusal RefusalOfRange(const QuantizationSpec& spec, const ConversionTypes& types) {
  const float min = -1;
  const float max = 1;
  return RefusalOf(
      Quantizer::Create(Range{.min = {&min, 1}, .max = {&max, 1}}, spec, types).status());
}

TEST(Quantizer, RefusesScalesThatAreNotFiniteAndPositive) {
  for (const float scale : {0.0F, -1.0F, kInfinity, kNaN}) {
    EXPECT_EQ(RefusalOfScales({.scale = {scale}}), (Refusal{"INVALID_SCALE", "affine.scale[0]"}));
  }
}

TEST(Quantizer, RefusesScalesThatTheProducerDoesNotComputeWith) {
  constexpr float kSubnormal = 1e-40F;
  EXPECT_TRUE(Quantizer::Create(Given{.scale = {kSubnormal}}.parameters(), {}, kFloatToUint8).ok());
  EXPECT_EQ(RefusalOfScales({.scale = {kSubnormal}}, {.numerics = Numerics::kLiteRtXnnpack}).reason,
            "INVALID_SCALE");
  EXPECT_EQ(RefusalOfScales({.scale = {kSubnormal}}, {.numerics = Numerics::kTensorFlowUniform},
                            kFloatToInt8)
                .reason,
            "INVALID_SCALE");
}

TEST(Quantizer, RefusesAWrongNumberOfScalesOrZeroPoints) {
  EXPECT_EQ(RefusalOfScales({.scale = {1, 2}}),
            (Refusal{"PARAMETERS_SIZE_MISMATCH", "affine.scale"}));
  EXPECT_EQ(RefusalOfScales({.scale = {}}), (Refusal{"PARAMETERS_SIZE_MISMATCH", "affine.scale"}));
  EXPECT_EQ(RefusalOfScales({.scale = {1, 2}, .zero_point = {1}, .axis = 0}),
            (Refusal{"PARAMETERS_SIZE_MISMATCH", "affine.zero_point"}));
}

TEST(Quantizer, RefusesZeroPointsOutsideTheCodes) {
  EXPECT_EQ(RefusalOfScales({.zero_point = {256}}),
            (Refusal{"INVALID_ZERO_POINT", "affine.zero_point[0]"}));
  EXPECT_EQ(RefusalOfScales({.zero_point = {-1}}).reason, "INVALID_ZERO_POINT");
  EXPECT_EQ(RefusalOfScales({.zero_point = {16}}, {.num_bits = 4}).reason, "INVALID_ZERO_POINT");
}

TEST(Quantizer, RefusesZeroPointsThatTheProducerDoesNotHave) {
  EXPECT_EQ(RefusalOfScales({.zero_point = {1}}, {.numerics = Numerics::kLiteRt},
                            {ElementType::kFloat32, ElementType::kInt16})
                .reason,
            "INVALID_ZERO_POINT");
}

TEST(Quantizer, RefusesBlocksOfZeroAndWithoutAnAxis) {
  EXPECT_EQ(RefusalOfScales({.axis = 0, .block_size = 0}),
            (Refusal{"INVALID_BLOCK_SIZE", "affine.block_size"}));
  EXPECT_EQ(RefusalOfScales({.block_size = 4}),
            (Refusal{"INVALID_BLOCK_SIZE", "affine.block_size"}));
}

TEST(Quantizer, RefusesCodesThatTheTypeDoesNotHave) {
  const auto refusal = [](std::int32_t min, std::int32_t max) {
    return RefusalOfScales({}, {.quant_min = min, .quant_max = max});
  };
  EXPECT_EQ(refusal(5, 5), (Refusal{"INVALID_QUANT_RANGE", "spec.quant_min"}));
  EXPECT_EQ(refusal(-1, 5), (Refusal{"INVALID_QUANT_RANGE", "spec.quant_min"}));
  EXPECT_EQ(refusal(0, 256), (Refusal{"INVALID_QUANT_RANGE", "spec.quant_max"}));
  EXPECT_EQ(RefusalOfScales({}, {.quant_min = 0}),
            (Refusal{"INVALID_QUANT_RANGE", "spec.quant_max"}));
  EXPECT_EQ(RefusalOfScales({}, {.num_bits = 8, .quant_min = 0, .quant_max = 7}),
            (Refusal{"INVALID_QUANT_RANGE", "spec.quant_min"}));
  EXPECT_EQ(RefusalOfRange({.num_bits = 9}, kFloatToUint8),
            (Refusal{"INVALID_QUANT_RANGE", "spec.num_bits"}));
  EXPECT_EQ(RefusalOfRange({.quant_min = 0, .quant_max = 7}, kFloatToUint8),
            (Refusal{"INVALID_QUANT_RANGE", "spec.quant_min"}));
}

TEST(Quantizer, RefusesNumericsOfTheOtherKindOfParameters) {
  const Refusal refusal = {"UNSUPPORTED_NUMERICS", "spec.numerics"};
  EXPECT_EQ(RefusalOfScales({}, {.numerics = Numerics::kTensorFlow}), refusal);
  EXPECT_EQ(RefusalOfRange({.numerics = Numerics::kOnnx}, kFloatToUint8), refusal);
  EXPECT_EQ(RefusalOfScales({.axis = 0}, {.numerics = Numerics::kLiteRtXnnpack}), refusal);
  EXPECT_EQ(
      RefusalOfScales({.axis = 0, .block_size = 2}, {.numerics = Numerics::kLiteRt}, kFloatToInt8),
      refusal);
}

TEST(Quantizer, ListsTheNumericsThatTakeTheParameters) {
  const auto status =
      Quantizer::Create(Given{}.parameters(), {.numerics = Numerics::kTensorFlow}, kFloatToUint8)
          .status();
  EXPECT_EQ(GetErrorDetail(status)->metadata.at("supported"),
            "ONNX, PYTORCH, LITERT, LITERT_XNNPACK, TENSORFLOW_UNIFORM");
}

TEST(Quantizer, RefusesTypesThatTheNumericsDoesNotHave) {
  EXPECT_EQ(RefusalOfScales({}, {.numerics = Numerics::kPyTorch},
                            {ElementType::kFloat32, ElementType::kInt16}),
            (Refusal{"UNSUPPORTED_DATA_TYPE", "output_type"}));
  EXPECT_EQ(RefusalOfScales({}, {}, {ElementType::kInt8, ElementType::kInt8}),
            (Refusal{"UNSUPPORTED_DATA_TYPE", "input.data_type"}));
  EXPECT_EQ(RefusalOfScales({}, {.precision = ElementType::kFloat16}),
            (Refusal{"UNSUPPORTED_DATA_TYPE", "spec.precision"}));
}

TEST(Quantizer, RefusesShapesThatNeedOtherParameters) {
  const std::vector<float> scale = {1, 2};
  const auto quantizer =
      Quantizer::Create(AffineParameters{.scale = scale, .axis = 1}, {}, kFloatToUint8);
  ASSERT_TRUE(quantizer.ok());
  EXPECT_EQ(RefusalOf(quantizer->CheckShape(Shape{2, 3})),
            (Refusal{"PARAMETERS_SIZE_MISMATCH", "affine.scale"}));
  EXPECT_EQ(GetErrorDetail(quantizer->CheckShape(Shape{2}))->field, "affine.axis");
}

std::vector<std::uint8_t> Codes(const Quantizer& quantizer, const Shape& shape,
                                const std::vector<float>& input) {
  std::vector<std::uint8_t> codes(input.size());
  const OutputView output(ElementType::kUint8, codes.data(), codes.size());
  EXPECT_TRUE(quantizer.Apply(View(shape, input), output, nullptr).ok());
  return codes;
}

TEST(Quantizer, NamesTheFirstNanThatHasNoCode) {
  const std::vector<float> min = {0, -1};
  const std::vector<float> max = {0, 1};
  const auto quantizer =
      Quantizer::Create(Range{.min = min, .max = max, .axis = 1}, {}, kFloatToUint8);
  ASSERT_TRUE(quantizer.ok());
  std::vector<std::uint8_t> codes(6);
  const OutputView output(ElementType::kUint8, codes.data(), codes.size());
  // A channel of zeros has a code for NaN.
  const std::vector<float> input = {kNaN, 0, kNaN, kNaN, 0, kNaN};
  const absl::Status status = quantizer->Apply(View({3, 2}, input), output, nullptr);
  EXPECT_EQ(RefusalOf(status), (Refusal{"INVALID_VALUE", "input.data"}));
  EXPECT_EQ(GetErrorDetail(status)->metadata.at("index"), "3");
}

TEST(Quantizer, SharesParametersInBlocksAlongAnyAxis) {
  // 3 x 3 elements in blocks of 2: the last block has one.
  const std::vector<float> input = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  const std::vector<float> scale = {1, 0.5F, 0.25F, 0.2F, 0.125F, 0.1F};
  const auto along_rows = Quantizer::Create(
      AffineParameters{.scale = scale, .axis = 1, .block_size = 2}, {}, kFloatToUint8);
  ASSERT_TRUE(along_rows.ok());
  EXPECT_THAT(Codes(*along_rows, {3, 3}, input), ElementsAre(1, 1, 2, 4, 4, 5, 8, 8, 10));
  const auto along_columns = Quantizer::Create(
      AffineParameters{.scale = scale, .axis = 0, .block_size = 2}, {}, kFloatToUint8);
  ASSERT_TRUE(along_columns.ok());
  EXPECT_THAT(Codes(*along_columns, {3, 3}, input), ElementsAre(1, 2, 4, 1, 2, 4, 5, 8, 10));
}

TEST(Quantizer, ReportsTheParametersInTheCodesOfItsType) {
  const float min = -1;
  const float max = 1;
  const auto quantizer =
      Quantizer::Create(Range{.min = {&min, 1}, .max = {&max, 1}}, {}, kFloatToInt8);
  ASSERT_TRUE(quantizer.ok());
  EXPECT_THAT(quantizer->parameters().scale, ElementsAre(2.0F / 255));
  EXPECT_THAT(quantizer->parameters().zero_point, ElementsAre(-1));
  EXPECT_THAT(quantizer->nudged_range()->zero_point, ElementsAre(127));
}

absl::StatusOr<Quantizer> FromData(const DataRange& data_range, Numerics numerics,
                                   const Shape& shape, const std::vector<float>& input) {
  return Quantizer::CreateFromData(data_range, {.numerics = numerics}, View(shape, input),
                                   ElementType::kUint8, nullptr);
}

TEST(QuantizerFromData, TakesTheExtremesOfTheDataAndZero) {
  const auto quantizer = FromData({}, Numerics::kTensorFlow, {3}, {2, 5, 3});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_THAT(quantizer->nudged_range()->min, ElementsAre(0));
  EXPECT_THAT(quantizer->nudged_range()->max, ElementsAre(5));
}

TEST(QuantizerFromData, TakesTheExtremesOfEachChannel) {
  const auto quantizer =
      FromData({.axis = 1}, Numerics::kTensorFlow, {2, 2}, {-255, 510, 0, -5.1F});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_THAT(quantizer->parameters().scale, ElementsAre(1, 515.1F / 255));
}

TEST(QuantizerFromData, MakesASymmetricRange) {
  const auto quantizer = FromData({.symmetric = true}, Numerics::kTensorFlow, {2}, {-3, 255});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_THAT(quantizer->parameters().scale, ElementsAre(2));
}

TEST(QuantizerFromData, RefusesNan) {
  const auto quantizer = FromData({}, Numerics::kOnnx, {3}, {1, kNaN, kNaN});
  EXPECT_EQ(RefusalOf(quantizer.status()), (Refusal{"INVALID_VALUE", "input.data"}));
  EXPECT_EQ(GetErrorDetail(quantizer.status())->metadata.at("index"), "1");
}

TEST(QuantizerFromData, RefusesWhatTheProducerDoesNotHave) {
  EXPECT_EQ(RefusalOf(FromData({}, Numerics::kPyTorch, {1}, {1}).status()).reason,
            "UNSUPPORTED_NUMERICS");
  EXPECT_EQ(RefusalOf(FromData({.symmetric = true}, Numerics::kOnnx, {1}, {1}).status()),
            (Refusal{"PARAMETERS_MISMATCH", "data_range.symmetric"}));
  EXPECT_EQ(
      RefusalOf(FromData({.axis = 0, .block_size = 2}, Numerics::kTensorFlow, {1}, {1}).status()),
      (Refusal{"PARAMETERS_MISMATCH", "data_range.block_size"}));
  EXPECT_EQ(RefusalOf(FromData({.block_size = 2}, Numerics::kOnnx, {1}, {1}).status()),
            (Refusal{"INVALID_BLOCK_SIZE", "data_range.block_size"}));
  EXPECT_EQ(RefusalOf(FromData({.axis = 3}, Numerics::kOnnx, {1}, {1}).status()),
            (Refusal{"AXIS_OUT_OF_RANGE", "data_range.axis"}));
}

TEST(Dequantizer, GivesTheValueOfEveryCodeOfTheType) {
  // Codes beyond those of the quantizer have values as well.
  const float scale = 0.5F;
  const auto dequantizer =
      Dequantizer::Create(AffineParameters{.scale = {&scale, 1}}, {.quant_min = 0, .quant_max = 3},
                          {ElementType::kInt8, ElementType::kFloat32});
  ASSERT_TRUE(dequantizer.ok()) << dequantizer.status();
  const std::vector<std::int8_t> codes = {-128, -1, 0, 127};
  const Shape shape = {4};
  std::vector<float> values(4);
  const TensorView view(ElementType::kInt8, shape, ScatteredBytes(std::as_bytes(std::span(codes))));
  ASSERT_TRUE(dequantizer->Apply(view, std::span(values), nullptr).ok());
  EXPECT_THAT(values, ElementsAre(-64, -0.5F, 0, 63.5F));
}

TEST(Dequantizer, RefusesTensorsOfAnotherSizeThanTheirShape) {
  const float scale = 1;
  const auto dequantizer = Dequantizer::Create(AffineParameters{.scale = {&scale, 1}}, {},
                                               {ElementType::kInt4, ElementType::kFloat32});
  ASSERT_TRUE(dequantizer.ok());
  const std::vector<std::byte> bytes(2);
  const Shape shape = {5};
  std::vector<float> values(5);
  EXPECT_EQ(RefusalOf(dequantizer->Apply({ElementType::kInt4, shape, ScatteredBytes(bytes)},
                                         std::span(values), nullptr))
                .reason,
            "TENSOR_SIZE_MISMATCH");
}

}  // namespace
}  // namespace quantd::core
