#include "core/error_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/core/special_values.h"

namespace quantd::core {
namespace {

NudgedRange RangeOf(PerChannel<float> min, PerChannel<float> max) {
  return {.min = std::move(min), .max = std::move(max), .scale = {}, .zero_point = {}};
}

TEST(MeasureError, ComparesSignalAndNoise) {
  const std::vector<float> original = {3, -4, 0, 0};
  const std::vector<float> quantized = {3, -4, 0.5F, 0};
  const auto error =
      MeasureError(std::vector<std::int64_t>{4}, original, quantized, RangeOf({-4}, {4}), {});
  ASSERT_TRUE(error.ok());
  EXPECT_DOUBLE_EQ(error->sqnr_db, 20.0);  // 10 log10(25 / 0.25)
  EXPECT_DOUBLE_EQ(error->max_abs_error, 0.5);
  EXPECT_DOUBLE_EQ(error->clipped_share, 0);
}

TEST(MeasureError, CountsElementsOutsideTheRangeOfTheirChannel) {
  const std::vector<float> original = {1, 1, -1, 3};
  const auto error =
      MeasureError(std::vector<std::int64_t>{2, 2}, original, original, RangeOf({0, 0}, {2, 2}), 1);
  ASSERT_TRUE(error.ok());
  EXPECT_DOUBLE_EQ(error->clipped_share, 0.5);
}

TEST(MeasureError, ReportsAnInfiniteRatioWithoutAnError) {
  const std::vector<float> original = {1, 2};
  const auto error =
      MeasureError(std::vector<std::int64_t>{2}, original, original, RangeOf({0}, {2}), {});
  ASSERT_TRUE(error.ok());
  EXPECT_TRUE(std::isinf(error->sqnr_db));
}

TEST(MeasureError, IgnoresElementsThatAreNotFinite) {
  const std::vector<float> original = {kNaN, kInfinity, 2};
  const std::vector<float> quantized = {kNaN, 2, 1};
  const auto error =
      MeasureError(std::vector<std::int64_t>{3}, original, quantized, RangeOf({0}, {2}), {});
  ASSERT_TRUE(error.ok());
  EXPECT_DOUBLE_EQ(error->max_abs_error, 1);
  EXPECT_DOUBLE_EQ(error->sqnr_db, 10 * std::log10(4.0));
  EXPECT_DOUBLE_EQ(error->clipped_share, 1.0 / 3);
}

TEST(MeasureError, OfAnEmptyTensorIsZero) {
  const auto error = MeasureError(std::vector<std::int64_t>{0, 3}, {}, {}, RangeOf({0}, {1}), {});
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->max_abs_error, 0);
  EXPECT_EQ(error->clipped_share, 0);
}

TEST(MeasureError, RefusesSizesThatDoNotFitTheShape) {
  const std::vector<float> three = {1, 2, 3};
  const std::vector<float> two = {1, 2};
  const std::vector<std::int64_t> shape = {3};
  EXPECT_FALSE(MeasureError(shape, two, three, RangeOf({0}, {1}), {}).ok());
  EXPECT_FALSE(MeasureError(shape, three, two, RangeOf({0}, {1}), {}).ok());
  EXPECT_FALSE(MeasureError(shape, three, three, RangeOf({0}, {1}), 0).ok());
}

}  // namespace
}  // namespace quantd::core
