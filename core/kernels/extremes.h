// The least and the greatest of many elements.

#ifndef QUANTD_CORE_KERNELS_EXTREMES_H_
#define QUANTD_CORE_KERNELS_EXTREMES_H_

#include <cstddef>

#include "core/base/element_pointer.h"

namespace quantd::core::kernels {

// `min` and `max` start at 0, which therefore counts as one of the elements.
struct Extremes {
  float min = 0;
  float max = 0;
  bool has_nan = false;
};

// Returns the extremes of `count` elements and 0. Ignores NaN but for has_nan.
Extremes ExtremesOf(ElementPointer<float> input, std::size_t count);

// Lowers min[i] and raises max[i] to element i. Returns whether any element is NaN.
bool ExtendExtremes(ElementPointer<float> input, std::size_t count, float* min, float* max);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_EXTREMES_H_
