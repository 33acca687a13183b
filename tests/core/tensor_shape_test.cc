#include "core/tensor_shape.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "core/base/error.h"

namespace quantd::core {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

ErrorDetail DetailOf(const absl::Status& status) {
  return GetErrorDetail(status).value_or(ErrorDetail{});
}

TEST(ElementCount, IsTheProductOfTheDimensions) {
  EXPECT_EQ(*ElementCount(std::vector<std::int64_t>{2, 3, 4}), 24U);
}

TEST(ElementCount, OfAScalarIsOne) { EXPECT_EQ(*ElementCount({}), 1U); }

TEST(ElementCount, OfAnEmptyTensorIsZero) {
  EXPECT_EQ(*ElementCount(std::vector<std::int64_t>{3, 0, 5}), 0U);
}

TEST(ElementCount, RefusesANegativeDimensionAndNamesIt) {
  const auto count = ElementCount(std::vector<std::int64_t>{3, -1});
  ASSERT_FALSE(count.ok());
  EXPECT_EQ(DetailOf(count.status()).reason, "TENSOR_SIZE_MISMATCH");
  EXPECT_EQ(DetailOf(count.status()).field, "shape[1]");
}

TEST(ElementCount, RefusesAProductThatOverflows) {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{kHuge, 2}, {kHuge}, {1LL << 31, 1LL << 31, 4}, {0, kHuge, 3}}) {
    const auto count = ElementCount(shape);
    ASSERT_FALSE(count.ok());
    EXPECT_EQ(DetailOf(count.status()).reason, "TENSOR_SIZE_MISMATCH");
    EXPECT_EQ(DetailOf(count.status()).field, "shape");
  }
}

TEST(ChannelLayout, WithoutAnAxisIsOneChannel) {
  const auto layout = MakeChannelLayout(std::vector<std::int64_t>{2, 3, 4}, std::nullopt);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout->outer, 1U);
  EXPECT_EQ(layout->channels, 1U);
  EXPECT_EQ(layout->inner, 24U);
}

TEST(ChannelLayout, SplitsTheShapeAtTheAxis) {
  const auto layout = MakeChannelLayout(std::vector<std::int64_t>{2, 3, 4, 5}, 1);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout->outer, 2U);
  EXPECT_EQ(layout->channels, 3U);
  EXPECT_EQ(layout->inner, 20U);
}

TEST(ChannelLayout, CountsANegativeAxisFromTheLastDimension) {
  const auto layout = MakeChannelLayout(std::vector<std::int64_t>{2, 3, 4}, -1);
  ASSERT_TRUE(layout.ok());
  EXPECT_EQ(layout->outer, 6U);
  EXPECT_EQ(layout->channels, 4U);
  EXPECT_EQ(layout->inner, 1U);
}

TEST(ChannelLayout, RefusesAnAxisOutsideTheRank) {
  for (const std::int32_t axis : {3, -4, std::numeric_limits<std::int32_t>::min(),
                                  std::numeric_limits<std::int32_t>::max()}) {
    const auto layout = MakeChannelLayout(std::vector<std::int64_t>{2, 3, 4}, axis);
    ASSERT_FALSE(layout.ok()) << axis;
    EXPECT_EQ(DetailOf(layout.status()).reason, "AXIS_OUT_OF_RANGE");
    EXPECT_EQ(DetailOf(layout.status()).field, "range.axis");
  }
}

TEST(ChannelLayout, RefusesAnAxisOnAScalar) {
  const auto layout = MakeChannelLayout({}, 0);
  ASSERT_FALSE(layout.ok());
  EXPECT_EQ(DetailOf(layout.status()).reason, "AXIS_OUT_OF_RANGE");
}

}  // namespace
}  // namespace quantd::core
