// The 16-bit floats, as storage. Computations widen them to float32, which is exact,
// and round their results once.

#ifndef QUANTD_CORE_BASE_FLOAT16_H_
#define QUANTD_CORE_BASE_FLOAT16_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace quantd::core {

// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of mantissa.
struct Float16 {
  std::uint16_t bits;
};

// The upper half of a binary32: 1 bit of sign, 8 of exponent, 7 of mantissa.
struct BFloat16 {
  std::uint16_t bits;
};

// Returns the same number, infinity or NaN.
inline float ToFloat(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

inline float ToFloat(Float16 value) {
  const std::uint32_t sign = (value.bits & 0x8000U) << 16;
  const std::uint32_t magnitude = value.bits & 0x7FFFU;
  if (magnitude >= 0x7C00U) {
    return std::bit_cast<float>(sign | 0x7F800000U | (magnitude & 0x3FFU) << 13);
  }
  // As the bits of a float, the exponent is 112 too low: also that of a subnormal,
  // whose scaled value is a normal float.
  const float scaled = std::bit_cast<float>(magnitude << 13);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(std::ldexp(scaled, 112)) | sign);
}

// Return the nearest number, ties to even; infinity beyond the largest one; NaN for
// NaN.
template <typename To>
To FromFloat(float value);

template <>
inline float FromFloat<float>(float value) {
  return value;
}

template <>
inline BFloat16 FromFloat<BFloat16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) {
    return {static_cast<std::uint16_t>(bits >> 16 | 0x40U)};
  }
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16)};
}

template <>
inline Float16 FromFloat<Float16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const auto with_sign = [sign](std::uint32_t magnitude) {
    return Float16{static_cast<std::uint16_t>(sign | magnitude)};
  };
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (std::isnan(value)) {
    return with_sign(0x7E00U | (magnitude >> 13 & 0x3FFU));
  }
  // Halfway between the largest number and what would be the next one.
  constexpr std::uint32_t kOverflow = 0x477FF000U;
  if (magnitude >= kOverflow) {
    return with_sign(0x7C00U);
  }
  // The smallest normal number is 2^-14.
  constexpr std::uint32_t kSmallestNormal = 0x38800000U;
  if (magnitude < kSmallestNormal) {
    // Steps of 2^-24; rint() rounds ties to even.
    return with_sign(
        static_cast<std::uint32_t>(std::rint(std::ldexp(std::bit_cast<float>(magnitude), 24))));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
  return with_sign((rounded - (std::uint32_t{112} << 23)) >> 13);
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_FLOAT16_H_
