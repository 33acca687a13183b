#include "client/library/range_of_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/base/error.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const std::vector<std::int64_t> kShape = {2, 3};
const std::vector<float> kValues = {1, -2, kNan, 4, 5, kNan};
const TensorView kTensor{kShape, kValues};

std::string ReasonOf(const absl::Status& status) {
  return core::GetErrorDetail(status).value_or(core::ErrorDetail()).reason;
}

TEST(RangeOfData, CoversTheWholeTensorWithoutAnAxis) {
  const auto range = RangeOfData(kTensor, {});
  ASSERT_TRUE(range.ok()) << range.status();
  EXPECT_THAT(range->min, ElementsAre(-2));
  EXPECT_THAT(range->max, ElementsAre(5));
  EXPECT_FALSE(range->view().axis.has_value());
}

TEST(RangeOfData, CoversEachChannelAndIsZeroIfAllValuesAreNan) {
  const auto columns = RangeOfData(kTensor, -1);
  ASSERT_TRUE(columns.ok()) << columns.status();
  EXPECT_THAT(columns->min, ElementsAre(1, -2, 0));
  EXPECT_THAT(columns->max, ElementsAre(4, 5, 0));
  const auto rows = RangeOfData(kTensor, 0);
  EXPECT_THAT(rows->min, ElementsAre(-2, 4));
  EXPECT_THAT(rows->max, ElementsAre(1, 5));
  EXPECT_EQ(rows->view().axis, 0);
}

TEST(RangeOfData, RejectsInfinitiesAndNamesTheElement) {
  const std::vector<float> values = {1, 2, 3, 4, -kInfinity, 6};
  const absl::Status status = RangeOfData({kShape, values}, {}).status();
  EXPECT_EQ(ReasonOf(status), core::ErrorReasonName(core::ErrorReason::kInvalidRange));
  EXPECT_THAT(std::string(status.message()), HasSubstr("element 4"));
}

TEST(RangeOfData, RejectsInvalidAxesAndSizes) {
  EXPECT_EQ(ReasonOf(RangeOfData(kTensor, 2).status()),
            core::ErrorReasonName(core::ErrorReason::kAxisOutOfRange));
  EXPECT_EQ(ReasonOf(RangeOfData({kShape, {}}, {}).status()),
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
