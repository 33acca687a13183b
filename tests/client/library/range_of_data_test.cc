#include "client/library/range_of_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/base/error.h"

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

TEST(RangeOfData, DoesNotAllocateTheChannelsThatAnEmptyTensorClaims) {
  const std::vector<std::int64_t> shape = {0, std::numeric_limits<std::int64_t>::max()};
  EXPECT_FALSE(RangeOfData({shape, {}}, 1).ok());
  const std::vector<std::int64_t> smaller = {0, std::int64_t{1} << 40};
  EXPECT_EQ(ReasonOf(RangeOfData({smaller, {}}, 1).status()),
            core::ErrorReasonName(core::ErrorReason::kMessageTooLarge));
}

}  // namespace
}  // namespace quantd::client
