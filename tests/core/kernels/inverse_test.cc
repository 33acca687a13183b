#include "core/kernels/inverse.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace quantd::core::kernels {
namespace {

constexpr std::uint32_t kLowest = 1U << 23;

// Returns the first of some numerators for which the two parts do not give the quotient, or
// 0 if they all do.
float FirstWrong(float divisor, float low, std::uint32_t first, std::uint32_t step) {
  const float high = 1 / divisor;
  for (std::uint32_t significand = first; significand < 2 * kLowest; significand += step) {
    const auto x = static_cast<float>(significand);
    if (std::fma(x, high, x * low) != x / divisor) {
      return x;
    }
  }
  return 0;
}

TEST(InverseLow, DividesAllSignificandsBySome) {
  // Those whose nearest low parts are wrong for a single numerator, and others.
  for (const std::uint32_t significand :
       {10420791U, 10537471U, 10576971U, 10579039U, 8388608U, 8388609U, 16777215U, 12582911U}) {
    const auto divisor = static_cast<float>(significand);
    EXPECT_EQ(FirstWrong(divisor, InverseLow(divisor), kLowest, 1), 0) << divisor;
  }
}

TEST(InverseLow, DividesManySignificandsByMany) {
  std::minstd_rand random(1);
  int without = 0;
  for (int i = 0; i < 10000; ++i) {
    const auto divisor = static_cast<float>(kLowest + random() % kLowest);
    const float low = InverseLow(divisor);
    if (std::isnan(low)) {
      ++without;
      continue;
    }
    ASSERT_EQ(FirstWrong(divisor, low, kLowest + static_cast<std::uint32_t>(random() % 8000), 8000),
              0)
        << divisor;
  }
  // One in a thousand.
  EXPECT_LT(without, 40);
}

// The numerators that are closest to a midpoint of two quotients are the ones that it must
// not get wrong. For an odd divisor Y these are X with X * 2^25 = 1 or -1 modulo Y.
TEST(InverseLow, DividesWhatIsClosestToAMidpoint) {
  std::minstd_rand random(2);
  int tried = 0;
  for (int i = 0; i < 200000; ++i) {
    const auto divisor = static_cast<std::uint32_t>(kLowest + random() % kLowest) | 1U;
    const float low = InverseLow(static_cast<float>(divisor));
    std::uint64_t inverse = 1;
    for (int halving = 0; halving < 25; ++halving) {
      inverse = (inverse % 2 == 0 ? inverse : inverse + divisor) / 2;
    }
    for (const std::uint64_t x : {inverse, divisor - inverse}) {
      if (x >= kLowest && !std::isnan(low)) {
        ++tried;
        const auto y = static_cast<float>(divisor);
        const auto numerator = static_cast<float>(x);
        ASSERT_EQ(std::fma(numerator, 1 / y, numerator * low), numerator / y) << x << " / " << y;
      }
    }
  }
  EXPECT_GT(tried, 10000);
}

TEST(InverseLow, ScalesWithTheDivisor) {
  for (const float divisor : {1.1F, 0.003921569F, 3.0F, 0.7F}) {
    EXPECT_EQ(InverseLow(divisor * 0x1p40F), InverseLow(divisor) * 0x1p-40F);
    EXPECT_EQ(InverseLow(divisor * 0x1p-40F), InverseLow(divisor) * 0x1p40F);
  }
}

TEST(InverseLow, IsNanForWhatCouldOverflowOrUnderflow) {
  for (const float divisor :
       {0x1.FFFFFEp-51F, 0x1.000002p50F, std::numeric_limits<float>::denorm_min(),
        std::numeric_limits<float>::max()}) {
    EXPECT_TRUE(std::isnan(InverseLow(divisor))) << divisor;
  }
  EXPECT_FALSE(std::isnan(InverseLow(0x1p-50F)));
  EXPECT_FALSE(std::isnan(InverseLow(0x1p50F)));
}

}  // namespace
}  // namespace quantd::core::kernels
