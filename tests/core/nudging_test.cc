#include "core/nudging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "tests/core/special_values.h"

namespace quantd::core {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kMax = std::numeric_limits<float>::max();

absl::StatusOr<NudgedRange> NudgeAs(const Range& range, const QuantizationSpec& spec = {}) {
  ASSIGN_OR_RETURN(const ResolvedSpec resolved,
                   Resolve(OperationKind::kFakeQuantize, range, spec,
                           {ElementType::kFloat32, ElementType::kFloat32}));
  return Nudge(range, resolved, resolved.range().zero_point);
}

absl::StatusOr<NudgedRange> NudgeOne(float min, float max, const QuantizationSpec& spec = {}) {
  return NudgeAs({.min = {&min, 1}, .max = {&max, 1}, .axis = {}}, spec);
}

ErrorDetail DetailOf(const absl::Status& status) {
  return GetErrorDetail(status).value_or(ErrorDetail{});
}

TEST(Nudge, MovesAPositiveRangeToZero) {
  const auto nudged = NudgeOne(2, 5);
  ASSERT_TRUE(nudged.ok());
  EXPECT_THAT(nudged->min, ElementsAre(0));
  EXPECT_THAT(nudged->max, ElementsAre(3));
  EXPECT_THAT(nudged->zero_point, ElementsAre(0));
}

TEST(Nudge, MovesANegativeRangeToZero) {
  const auto nudged = NudgeOne(-5, -2);
  ASSERT_TRUE(nudged.ok());
  EXPECT_THAT(nudged->min, ElementsAre(-3));
  EXPECT_THAT(nudged->max, ElementsAre(0));
  EXPECT_THAT(nudged->zero_point, ElementsAre(255));
}

TEST(Nudge, MakesZeroACode) {
  const auto nudged =
      NudgeOne(-0.1F, 63.65F, {.num_bits = 8, .narrow_range = true, .numerics = {}});
  ASSERT_TRUE(nudged.ok());
  EXPECT_THAT(nudged->min, ElementsAre(0));
  EXPECT_THAT(nudged->max, ElementsAre(63.75F));
  EXPECT_THAT(nudged->zero_point, ElementsAre(1));
}

TEST(Nudge, GivesTheLowestCodeToARangeOfZeros) {
  const auto nudged = NudgeOne(0, -0.0F, {.num_bits = 4, .narrow_range = true, .numerics = {}});
  ASSERT_TRUE(nudged.ok());
  EXPECT_THAT(nudged->min, ElementsAre(0));
  EXPECT_THAT(nudged->max, ElementsAre(0));
  EXPECT_THAT(nudged->scale, ElementsAre(0));
  EXPECT_THAT(nudged->zero_point, ElementsAre(1));
}

TEST(Nudge, RefusesBitsOutsideTwoToSixteen) {
  for (const std::uint32_t num_bits : {0U, 1U, 17U, 32U, 4294967295U}) {
    const auto nudged =
        NudgeOne(-1, 1, {.num_bits = num_bits, .narrow_range = false, .numerics = {}});
    ASSERT_FALSE(nudged.ok()) << num_bits;
    EXPECT_EQ(DetailOf(nudged.status()).reason, "INVALID_NUM_BITS");
    EXPECT_EQ(DetailOf(nudged.status()).field, "spec.num_bits");
    EXPECT_EQ(DetailOf(nudged.status()).metadata.at("num_bits"), std::to_string(num_bits));
  }
}

TEST(Nudge, TakesAllNumbersOfBitsFromTwoToSixteen) {
  for (std::uint32_t num_bits = 2; num_bits <= 16; ++num_bits) {
    EXPECT_TRUE(NudgeOne(-1, 1, {.num_bits = num_bits, .narrow_range = true, .numerics = {}}).ok());
  }
}

TEST(Nudge, RefusesMinAndMaxOfDifferentSizes) {
  const std::vector<float> min = {-1, -2};
  const std::vector<float> max = {1};
  const auto nudged = NudgeAs({.min = min, .max = max, .axis = 0});
  ASSERT_FALSE(nudged.ok());
  EXPECT_EQ(DetailOf(nudged.status()).reason, "RANGE_SIZE_MISMATCH");
}

struct BadRange {
  float min;
  float max;
  const char* field;
  const char* complaint;
};

class NudgeRefuses : public testing::TestWithParam<BadRange> {};

TEST_P(NudgeRefuses, RangesWithoutAValidScale) {
  // The error names the third channel, which is the bad one.
  const std::vector<float> min = {-1, 0, GetParam().min};
  const std::vector<float> max = {1, 0, GetParam().max};
  const auto nudged = NudgeAs({.min = min, .max = max, .axis = 0});
  ASSERT_FALSE(nudged.ok());
  const ErrorDetail detail = DetailOf(nudged.status());
  EXPECT_EQ(detail.reason, "INVALID_RANGE");
  EXPECT_EQ(detail.field, GetParam().field);
  EXPECT_EQ(detail.metadata.at("channel"), "2");
  EXPECT_THAT(std::string(nudged.status().message()),
              AllOf(HasSubstr(GetParam().complaint), HasSubstr("; expected ")));
}

INSTANTIATE_TEST_SUITE_P(
    , NudgeRefuses,
    testing::Values(BadRange{kNaN, 1, "range.min[2]", "not finite"},
                    BadRange{-1, kNaN, "range.max[2]", "not finite"},
                    BadRange{-kInfinity, 1, "range.min[2]", "not finite"},
                    BadRange{-1, kInfinity, "range.max[2]", "not finite"},
                    BadRange{1, -1, "range.min[2]", "min above max"},
                    BadRange{2, 2, "range.max[2]", "is empty"},
                    BadRange{-2, -2, "range.max[2]", "is empty"},
                    // max - min overflows.
                    BadRange{-kMax, kMax, "range.max[2]", "too wide"},
                    // The scale is denormal, or 0.
                    BadRange{0, 1e-37F, "range.max[2]", "too narrow"},
                    BadRange{1e-45F, 1, "range.min[2]", "smaller than any normal"},
                    BadRange{0, 1e-45F, "range.max[2]", "smaller than any normal"}));

TEST(Nudge, RefusesARangeWhoseInverseScaleIsDenormal) {
  EXPECT_TRUE(NudgeOne(0, kMax, {.num_bits = 8, .narrow_range = false, .numerics = {}}).ok());
  const auto nudged = NudgeOne(0, kMax, {.num_bits = 2, .narrow_range = false, .numerics = {}});
  ASSERT_FALSE(nudged.ok());
  EXPECT_EQ(DetailOf(nudged.status()).reason, "INVALID_RANGE");
}

float ZeroPointOf(float min, float max, std::uint32_t num_bits, Numerics numerics) {
  return static_cast<float>(
      NudgeOne(min, max, {.num_bits = num_bits, .numerics = numerics})->zero_point[0]);
}

TEST(Nudge, RoundsTheZeroPointAsEachProducerDoes) {
  EXPECT_EQ(ZeroPointOf(-0.75F, 0.75F, 8, Numerics::kTensorFlow), 128);
  EXPECT_EQ(ZeroPointOf(-0.75F, 0.75F, 8, Numerics::kTensorFlowXla), 127);
  EXPECT_EQ(ZeroPointOf(-0.5F, 2.5F, 4, Numerics::kTensorFlow), 3);
  EXPECT_EQ(ZeroPointOf(-0.5F, 2.5F, 4, Numerics::kTensorFlowXla), 2);
}

TEST(Nudge, RefusesARangeOfZerosWhereTheProducerGivesNan) {
  for (const Numerics numerics : {Numerics::kTensorFlowXla, Numerics::kKerasJax}) {
    const auto nudged = NudgeOne(0, 0, {.numerics = numerics});
    ASSERT_FALSE(nudged.ok());
    EXPECT_EQ(DetailOf(nudged.status()).reason, "INVALID_RANGE");
  }
}

}  // namespace
}  // namespace quantd::core
