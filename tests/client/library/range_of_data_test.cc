#include "client/library/range_of_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <span>

#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/reference.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
constexpr float kUnlimited = std::numeric_limits<float>::infinity();

const std::vector<std::int64_t> kDataShape = {2, 3};
const std::vector<float> kDataValues = {1, -2, kMissing, 4, 5, kMissing};
const TensorView kData{kDataShape, kDataValues};

std::string ReasonOf(const absl::Status& status) {
  return core::GetErrorDetail(status).value_or(core::ErrorDetail()).reason;
}

TEST(RangeOfData, CoversTheWholeTensorWithoutAnAxis) {
  const auto range = RangeOfData(kData, {});
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_THAT(range->min, ElementsAre(-2));
  EXPECT_THAT(range->max, ElementsAre(5));
  EXPECT_FALSE(range->view().axis.has_value());
}

TEST(RangeOfData, CoversEachChannelAndIsZeroIfAllValuesAreNan) {
  const auto columns = RangeOfData(kData, -1);
  ASSERT_TRUE(columns.ok()) << columns.status();
  EXPECT_THAT(columns->min, ElementsAre(1, -2, 0));
  EXPECT_THAT(columns->max, ElementsAre(4, 5, 0));
  const auto rows = RangeOfData(kData, 0);
  EXPECT_THAT(rows->min, ElementsAre(-2, 4));
  EXPECT_THAT(rows->max, ElementsAre(1, 5));
  EXPECT_EQ(rows->view().axis, 0);
}

TEST(RangeOfData, RejectsInfinitiesAndNamesTheElement) {
  const std::vector<float> values = {1, 2, 3, 4, -kUnlimited, 6};
  const absl::Status status = RangeOfData({kDataShape, values}, {}).status();
  EXPECT_EQ(ReasonOf(status), core::ErrorReasonName(core::ErrorReason::kInvalidRange));
  EXPECT_THAT(std::string(status.message()), HasSubstr("element 4"));
}

TEST(RangeOfData, RejectsInvalidAxesAndSizes) {
  EXPECT_EQ(ReasonOf(RangeOfData(kData, 2).status()),
            core::ErrorReasonName(core::ErrorReason::kAxisOutOfRange));
  EXPECT_EQ(ReasonOf(RangeOfData({kDataShape, {}}, {}).status()),
            core::ErrorReasonName(core::ErrorReason::kTensorSizeMismatch));
}

RangeValues RangeOfOne(float min, float max) {
  return {.min = {min}, .max = {max}, .axis = std::nullopt};
}

// The range of one channel of data from `min` to `max`.
RangeValues Quantizable(float min, float max, const core::QuantizationSpec& spec = {}) {
  return MakeQuantizable(RangeOfOne(min, max), spec).range;
}

TEST(MakeQuantizable, IncludesZero) {
  EXPECT_THAT(Quantizable(3, 5).min, ElementsAre(0));
  EXPECT_THAT(Quantizable(3, 5).max, ElementsAre(5));
  EXPECT_THAT(Quantizable(-5, -3).min, ElementsAre(-5));
  EXPECT_THAT(Quantizable(-5, -3).max, ElementsAre(0));
  EXPECT_THAT(Quantizable(-5, 3).min, ElementsAre(-5));
  EXPECT_THAT(Quantizable(-5, 3).max, ElementsAre(3));
}

TEST(MakeQuantizable, TakesEndsThatAreSubnormalForZero) {
  constexpr float kSubnormal = std::numeric_limits<float>::denorm_min();
  EXPECT_THAT(Quantizable(-kSubnormal, 3).min, ElementsAre(0));
  EXPECT_THAT(Quantizable(-3, kSubnormal).max, ElementsAre(0));
}

TEST(MakeQuantizable, GivesChannelsOfZerosARangeAndNamesThem) {
  constexpr float kLeast = std::numeric_limits<float>::min();
  const QuantizableRange quantizable = MakeQuantizable(
      {.min = {0, -1, -kLeast, 0, 1e-30F}, .max = {0, 2, 2 * kLeast, 1e-30F, 2e-30F}, .axis = 1},
      {});
  EXPECT_THAT(quantizable.channels_of_zeros, ElementsAre(0, 2));
  EXPECT_THAT(quantizable.range.min, ElementsAre(0, -1, 0, 0, 0));
  EXPECT_THAT(quantizable.range.max, ElementsAre(1, 2, 1, 1e-30F, 2e-30F));
  EXPECT_EQ(quantizable.range.axis, 1);
}

TEST(MakeQuantizable, GivesARangeToWhichAllNumericsCanQuantize) {
  for (const core::NumericsRow& row : core::kNumericsTable) {
    if (!row.range.has_value() || !row.range->has_fake_quantization) {
      continue;
    }
    for (const std::uint32_t bits : {2U, 8U, 16U}) {
      const core::QuantizationSpec spec = {.num_bits = bits, .numerics = row.numerics};
      for (const float end : {0.0F, 1e-45F, 1e-38F, 1e-36F, 1.6e-33F, 1e-20F, 3.0F}) {
        for (const RangeValues& range :
             {Quantizable(0, end, spec), Quantizable(-end, 0, spec), Quantizable(end, end, spec)}) {
          EXPECT_TRUE(core::FakeQuantization::Create(range.view(), spec).ok())
              << row.name << " " << bits << " " << end;
        }
      }
    }
  }
}

// Returns what quantizing a channel of which all values are `value` makes of them.
float OfConstant(float value, const core::QuantizationSpec& spec) {
  const std::vector<std::int64_t> shape = {1};
  const RangeValues range = Quantizable(value, value, spec);
  const auto result =
      core::reference::FakeQuantize(shape, std::span<const float>(&value, 1), range.view(), spec);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->front() : kMissing;
}

std::vector<float> ConstantsOfBothSigns() {
  std::mt19937 random(1);
  std::lognormal_distribution<float> magnitudes(0, 5);
  std::vector<float> constants;
  for (int i = 0; i < 100; ++i) {
    constants.push_back(magnitudes(random) * (i % 2 == 0 ? 1.0F : -1.0F));
  }
  return constants;
}

TEST(MakeQuantizable, LetsCodesRepresentTheOnlyValueOfAChannelExactly) {
  for (const core::Numerics numerics :
       {core::Numerics::kTensorFlow, core::Numerics::kTensorFlowArgs, core::Numerics::kKerasJax}) {
    for (const std::uint32_t bits : {2U, 4U, 8U, 16U}) {
      for (const float value : ConstantsOfBothSigns()) {
        EXPECT_EQ(OfConstant(value, {.num_bits = bits, .numerics = numerics}), value);
        EXPECT_EQ(OfConstant(value, {.num_bits = bits, .narrow_range = true, .numerics = numerics}),
                  value);
      }
    }
  }
}

TEST(MakeQuantizable, LetsCodesRepresentTheOnlyValueOfAChannelWithEveryNumerics) {
  for (const core::NumericsRow& row : core::kNumericsTable) {
    if (!row.range.has_value() || !row.range->has_fake_quantization) {
      continue;
    }
    for (const float value : ConstantsOfBothSigns()) {
      // Only one sign has codes without a sign.
      const float expected = row.numerics == core::Numerics::kTensorFlowQuantizeAndDequantize
                                 ? std::abs(value)
                                 : value;
      EXPECT_FLOAT_EQ(OfConstant(expected, {.num_bits = 2, .numerics = row.numerics}), expected)
          << row.name;
    }
  }
}

TEST(RangeOfData, DoesNotAllocateTheChannelsThatAnEmptyTensorClaims) {
  const std::vector<std::int64_t> shape = {0, std::numeric_limits<std::int64_t>::max()};
  EXPECT_FALSE(RangeOfData({shape, {}}, 1).ok());
  const std::vector<std::int64_t> smaller = {0, std::int64_t{1} << 40};
  EXPECT_EQ(ReasonOf(RangeOfData({smaller, {}}, 1).status()),
            core::ErrorReasonName(core::ErrorReason::kMessageTooLarge));
}

}  // namespace
}  // namespace quantd::client
