// Changes of element types that need no parameters.

#ifndef QUANTD_CORE_KERNELS_CONVERT_H_
#define QUANTD_CORE_KERNELS_CONVERT_H_

#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/base/float16.h"

namespace quantd::core::kernels {

// Write `count` elements as float32, which is exact.
void Widen(ElementPointer<Float16> input, std::size_t count, float* output);
void Widen(ElementPointer<BFloat16> input, std::size_t count, float* output);

// Write the nearest 16-bit floats, ties to even; NaN for NaN.
void Narrow(const float* input, std::size_t count, Float16* output);
void Narrow(const float* input, std::size_t count, BFloat16* output);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_CONVERT_H_
