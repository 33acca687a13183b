// Changes of element types that need no parameters.

#ifndef QUANTD_CORE_KERNELS_CONVERT_H_
#define QUANTD_CORE_KERNELS_CONVERT_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/element_pointer.h"
#include "core/base/float16.h"

namespace quantd::core::kernels {

// Write `count` elements as float32, which is exact.
void Widen(ElementPointer<Float16> input, std::size_t count, float* output);
void Widen(ElementPointer<BFloat16> input, std::size_t count, float* output);

// Write the nearest 16-bit floats, ties to even; NaN for NaN.
void Narrow(const float* input, std::size_t count, Float16* output);
void Narrow(const float* input, std::size_t count, BFloat16* output);

// Writes the low `bits`, 2 or 4, of each of `count` codes, the first in the low bits
// of a byte. Unused bits of the last byte are 0.
void Pack(const std::uint8_t* codes, std::size_t count, std::size_t bits, std::uint8_t* output);

// The inverse: writes `count` codes of 8 bits, in two's complement if `is_signed`.
void Unpack(ElementPointer<std::uint8_t> input, std::size_t count, std::size_t bits, bool is_signed,
            std::uint8_t* codes);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_CONVERT_H_
