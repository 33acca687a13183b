// The backward kernels: the gradient of fake quantization. They trust their
// arguments, do not allocate, and give the same bits on every SIMD target. Only
// core includes this, and the tests and benchmarks of the kernels.

#ifndef QUANTD_CORE_KERNELS_GRADIENT_KERNELS_H_
#define QUANTD_CORE_KERNELS_GRADIENT_KERNELS_H_

#include <cstddef>

#include "core/kernels/parameters.h"

namespace quantd::core::kernels {

// Sums of gradients: where inputs lie below and above the nudged range.
struct RangeGradients {
  double min = 0;
  double max = 0;
};

// Writes gradient * (nudged_min <= input <= nudged_max) of `count` elements of
// one channel to `input_gradients` and returns the sums. Nothing overlaps.
//
// The order of the sums: partial sum l of 16 takes the elements whose index is
// l modulo 16, in turn; then partial sums l and l + 8 are added, l and l + 4, l
// and l + 2, l and l + 1. Vectors of any width up to 16 lanes keep to it.
RangeGradients GradientRun(const float* gradients, const float* inputs, std::size_t count,
                           float nudged_min, float nudged_max, Store store, float* input_gradients);

// Writes the same for `rows` rows of `columns` elements, `stride` elements
// apart, of which column j has the parameters j % 16 of block j / 16, and all
// have codes 0..levels above the lowest; adds each column's elements, row after
// row, to min_sums[j] and max_sums[j].
void GradientColumns(const float* gradients, const float* inputs, std::size_t rows,
                     std::size_t columns, std::size_t stride, const ColumnParameters* parameters,
                     float levels, Store store, float* input_gradients, double* min_sums,
                     double* max_sums);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_GRADIENT_KERNELS_H_
