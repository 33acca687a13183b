// Compares floats by their bits.

#ifndef QUANTD_TESTS_CORE_SAME_BITS_H_
#define QUANTD_TESTS_CORE_SAME_BITS_H_

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>

namespace quantd::core {

namespace internal {

template <typename T, typename Bits>
testing::AssertionResult SameBitsOf(std::span<const T> actual, std::span<const T> expected) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure()
           << actual.size() << " elements, expected " << expected.size();
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const bool both_nan = std::isnan(actual[i]) && std::isnan(expected[i]);
    if (!both_nan && std::bit_cast<Bits>(actual[i]) != std::bit_cast<Bits>(expected[i])) {
      return testing::AssertionFailure() << "element " << i << " is " << actual[i] << ", expected "
                                         << expected[i] << ", of " << actual.size();
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace internal

// Return whether all elements have the same bits. Any NaN equals any other; a zero
// differs from its negative.
inline testing::AssertionResult SameBits(std::span<const float> actual,
                                         std::span<const float> expected) {
  return internal::SameBitsOf<float, std::uint32_t>(actual, expected);
}
inline testing::AssertionResult SameBits(std::span<const double> actual,
                                         std::span<const double> expected) {
  return internal::SameBitsOf<double, std::uint64_t>(actual, expected);
}

}  // namespace quantd::core

#endif  // QUANTD_TESTS_CORE_SAME_BITS_H_
