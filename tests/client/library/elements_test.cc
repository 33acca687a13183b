#include "client/library/elements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/base/float16.h"

namespace quantd::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::SizeIs;

std::vector<int> BytesOf(const Elements& elements) {
  std::vector<int> bytes;
  for (const std::byte byte : elements.bytes()) {
    bytes.push_back(std::to_integer<int>(byte));
  }
  return bytes;
}

TEST(Elements, AreZeroUntilTheyAreWritten) {
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    const Elements elements(row.type, 5);
    EXPECT_EQ(elements.size(), 5U);
    EXPECT_THAT(BytesOf(elements), SizeIs(core::ElementBytes(row.type, 5)));
    EXPECT_THAT(BytesOf(elements), Each(0));
  }
}

TEST(Elements, OfFourBitsHaveTheFirstCodeInTheLowBits) {
  const std::vector<std::int32_t> codes = {0, 1, 2, 3, 4};
  const Elements elements = FromCodes(codes, core::ElementType::kInt4);
  EXPECT_THAT(BytesOf(elements), ElementsAre(0x10, 0x32, 0x04));
  EXPECT_EQ(elements.size(), 5U);
  EXPECT_EQ(ToCodes(elements), codes);
}

TEST(Elements, OfTwoBitsHaveTheFirstCodeInTheLowBits) {
  const std::vector<std::int32_t> codes = {0, 1, 1, 1, 1};
  const Elements elements = FromCodes(codes, core::ElementType::kInt2);
  EXPECT_THAT(BytesOf(elements), ElementsAre(0x54, 0x01));
  EXPECT_EQ(ToCodes(elements), codes);
}

TEST(Elements, KeepTheLowestAndTheHighestCodeOfEveryType) {
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    if (row.is_code) {
      const std::vector<std::int32_t> codes = {row.lowest, 0, row.highest, 1, row.lowest};
      EXPECT_EQ(ToCodes(FromCodes(codes, row.type)), codes) << row.name;
    }
  }
}

TEST(Elements, OfSixteenBitsAreTheNearestFloats) {
  // Beyond float16's largest number, half a step of bfloat16, and a number that both
  // have.
  const std::vector<float> values = {65520, 1.00390625F, -1.5F,
                                     std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> half = ToFloats(FromFloats(values, core::ElementType::kFloat16));
  EXPECT_EQ(half[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(half[1], 1.00390625F);
  EXPECT_EQ(half[2], -1.5F);
  EXPECT_TRUE(std::isnan(half[3]));
  const std::vector<float> brain = ToFloats(FromFloats(values, core::ElementType::kBFloat16));
  EXPECT_EQ(brain[0], 65536);
  EXPECT_EQ(brain[1], 1);
  EXPECT_EQ(brain[2], -1.5F);
  EXPECT_TRUE(std::isnan(brain[3]));
}

TEST(Elements, OfSixtyFourBitsAreRoundedToFloats) {
  const std::vector<double> values = {1.0 + 1e-12, 0.1};
  EXPECT_THAT(ToFloats(Elements::Of<double>(values)), ElementsAre(1, 0.1F));
}

TEST(FloatView, CopiesOnlyOtherTypes) {
  const std::vector<float> values = {1, 2};
  const Elements floats = Elements::Of<float>(values);
  EXPECT_EQ(FloatView(floats).values().data(), floats.values<float>().data());
  const Elements half = FromFloats(values, core::ElementType::kFloat16);
  EXPECT_THAT(FloatView(half).values(), ElementsAre(1, 2));
}

TEST(Elements, CanBeViewedWithAShape) {
  const std::vector<float> values = {1, 2, 3, 4};
  const Elements elements = Elements::Of<float>(values);
  const std::vector<std::int64_t> shape = {2, 2};
  const core::TensorView view = elements.view(shape);
  EXPECT_EQ(view.type, core::ElementType::kFloat32);
  EXPECT_THAT(view.shape, ElementsAre(2, 2));
  EXPECT_THAT(view.elements<float>(), ElementsAreArray(values));
}

}  // namespace
}  // namespace quantd::client
