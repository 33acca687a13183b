#include "core/base/float16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "core/kernels/convert.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"

namespace quantd::core {
namespace {

template <typename T>
std::vector<T> AllValues() {
  std::vector<T> values;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    values.push_back({static_cast<std::uint16_t>(bits)});
  }
  return values;
}

// Floats of every exponent, and those in the middle between two narrow ones and next to
// it.
std::vector<float> FloatsToRound() {
  std::vector<float> floats = {0.0F, -0.0F, kInfinity, -kInfinity, kNaN};
  std::mt19937 random(9);
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0FFFU, 0x1000U, 0x1001U, 0x7FFFU, 0x8000U, 0x8001U}) {
      floats.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
    floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  }
  return floats;
}

TEST(Float16, HasItsValue) {
  EXPECT_EQ(ToFloat(Float16{0x3C00}), 1);
  EXPECT_EQ(ToFloat(Float16{0xC000}), -2);
  EXPECT_EQ(ToFloat(Float16{0x7BFF}), 65504);
  EXPECT_EQ(ToFloat(Float16{0x0001}), 0x1p-24F);
  EXPECT_EQ(ToFloat(Float16{0x7C00}), kInfinity);
  EXPECT_TRUE(std::isnan(ToFloat(Float16{0x7C01})));
}

TEST(Float16, IsTheNearestAndEvenInTheMiddle) {
  EXPECT_EQ(FromFloat<Float16>(65519).bits, 0x7BFF);
  EXPECT_EQ(FromFloat<Float16>(65520).bits, 0x7C00);
  EXPECT_EQ(FromFloat<Float16>(0x1p-25F).bits, 0);
  EXPECT_EQ(FromFloat<Float16>(0x1.8p-24F).bits, 2);
  EXPECT_EQ(FromFloat<Float16>(1 + 0x1p-11F).bits, 0x3C00);
  EXPECT_EQ(FromFloat<Float16>(1 + 0x1.8p-10F).bits, 0x3C02);
}

TEST(Float16, ComesBackFromFloat32) {
  for (const Float16 value : AllValues<Float16>()) {
    if (!std::isnan(ToFloat(value))) {
      ASSERT_EQ(FromFloat<Float16>(ToFloat(value)).bits, value.bits);
    }
  }
}

TEST(BFloat16, IsTheNearestAndEvenInTheMiddle) {
  EXPECT_EQ(FromFloat<BFloat16>(1 + 0x1p-8F).bits, 0x3F80);
  EXPECT_EQ(FromFloat<BFloat16>(1 + 0x1.8p-7F).bits, 0x3F82);
  EXPECT_EQ(FromFloat<BFloat16>(std::numeric_limits<float>::max()).bits, 0x7F80);
  EXPECT_TRUE(std::isnan(ToFloat(FromFloat<BFloat16>(kNaN))));
}

class Float16Kernels : public EverySimdTarget {
 protected:
  template <typename T>
  static void ExpectWidened() {
    const std::vector<T> values = AllValues<T>();
    std::vector<float> expected;
    for (const T value : values) {
      expected.push_back(ToFloat(value));
    }
    // One element is left over after whole vectors.
    std::vector<float> actual(values.size());
    kernels::Widen(ElementPointer<T>(values.data()), values.size() - 1, actual.data());
    kernels::Widen(ElementPointer<T>(&values.back()), 1, &actual.back());
    EXPECT_TRUE(SameBits(actual, expected));
  }

  template <typename T>
  static void ExpectNarrowed() {
    const std::vector<float> values = FloatsToRound();
    std::vector<T> actual(values.size());
    kernels::Narrow(values.data(), values.size(), actual.data());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        ASSERT_TRUE(std::isnan(ToFloat(actual[i])));
      } else {
        ASSERT_EQ(actual[i].bits, FromFloat<T>(values[i]).bits) << values[i];
      }
    }
  }
};

TEST_P(Float16Kernels, WidenAllValues) {
  ExpectWidened<Float16>();
  ExpectWidened<BFloat16>();
}

TEST_P(Float16Kernels, NarrowToTheNearest) {
  ExpectNarrowed<Float16>();
  ExpectNarrowed<BFloat16>();
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(Float16Kernels);

}  // namespace
}  // namespace quantd::core
