#include "core/kernels/inverse.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace quantd::core::kernels {
namespace {

constexpr int kSignificandBits = 24;
// The sum of the exponents, as they are stored, of a float and of the power of two by which
// its significand as a whole number is multiplied for its inverse.
constexpr std::uint32_t kSignificandPower = 2 * 127 + kSignificandBits - 1;
constexpr std::uint32_t kLowestSignificand = 1U << (kSignificandBits - 1);

// fma(x, high, x * low) is rounded to the same float as the quotient, unless the quotient
// is too close to the midpoint of two floats. Let X and Y be the significands of x and of
// the divisor as whole numbers of 24 bits, and M an odd number of 25 bits for the midpoint.
// The quotient is |X * 2^k - M * Y| / (Y * 2^k) away from it, where k is 24 if X >= Y and
// 25 otherwise. This distance, without its divisor, is a whole number, and not 0.
//
// If low is rounded to the nearest, then the sum before it is rounded is off by less than
// 2^-48: a distance below 1 for k = 24, and below 2 for k = 25. For a neighbour of that
// low, it is below 2 and 4.
constexpr std::int64_t kCloseToNearest = 1;
constexpr std::int64_t kCloseToNeighbour = 3;

// Returns the number that gives 1 modulo 2^32 if multiplied by the odd `number`.
std::uint32_t InverseModulo2To32(std::uint32_t number) {
  // The low three bits are right from the start, and each step doubles their number.
  std::uint32_t inverse = number;
  for (int i = 0; i < 4; ++i) {
    inverse *= 2 - number * inverse;
  }
  return inverse;
}

// Whether the division is right for the X whose X * 2^k - M * Y is `distance`. The divisor,
// which is Y, is odd.
bool IsRightAt(std::int64_t distance, int k, std::uint32_t divisor, float high, float low) {
  const std::uint32_t modulo_2_to_k = (1U << k) - 1;
  const std::uint32_t midpoint =
      static_cast<std::uint32_t>(-distance) * InverseModulo2To32(divisor) & modulo_2_to_k;
  // M has 25 bits, of which the highest is lost modulo 2^24.
  const std::int64_t x =
      ((std::int64_t{midpoint} * divisor + distance) >> k) + (k == kSignificandBits ? divisor : 0);
  if (x < kLowestSignificand || x >= 2 * std::int64_t{kLowestSignificand}) {
    return true;
  }
  const auto numerator = static_cast<float>(x);
  return std::fma(numerator, high, numerator * low) == numerator / static_cast<float>(divisor);
}

// Whether the division is right for each x whose distance is up to `close` for k = 25, and
// up to half of it for k = 24.
bool IsRight(std::int64_t close, std::uint32_t divisor, float high, float low) {
  for (std::int64_t distance = 1; distance <= close; ++distance) {
    for (const std::int64_t signed_distance : {distance, -distance}) {
      if (!IsRightAt(signed_distance, kSignificandBits + 1, divisor, high, low) ||
          (distance <= close / 2 &&
           !IsRightAt(signed_distance, kSignificandBits, divisor, high, low))) {
        return false;
      }
    }
  }
  return true;
}

// The same as InverseLow() for a significand.
float LowOfSignificand(std::uint32_t significand) {
  const auto divisor = static_cast<float>(significand);
  const float high = 1 / divisor;
  // The product has 48 bits, so it is exact.
  const auto nearest = static_cast<float>((1 - static_cast<double>(high) * divisor) / divisor);
  // The distances of an even one are even.
  if (significand % 2 == 0 || IsRight(kCloseToNearest, significand, high, nearest)) {
    return nearest;
  }
  for (const float direction : {-1.0F, 1.0F}) {
    const float neighbour = std::nextafter(nearest, direction);
    if (IsRight(kCloseToNeighbour, significand, high, neighbour)) {
      return neighbour;
    }
  }
  return std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

float InverseLow(float divisor) {
  // No intermediate result overflows or underflows.
  if (divisor < 0x1p-50F || divisor > 0x1p50F) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  // The significand's bit in front of the point is not stored, and the power of two of its
  // inverse has the opposite sign.
  const auto bits = std::bit_cast<std::uint32_t>(divisor);
  const std::uint32_t significand = (bits & (kLowestSignificand - 1)) | kLowestSignificand;
  const std::uint32_t power_bits = (kSignificandPower - (bits >> (kSignificandBits - 1)))
                                   << (kSignificandBits - 1);
  return LowOfSignificand(significand) * std::bit_cast<float>(power_bits);
}

}  // namespace quantd::core::kernels
