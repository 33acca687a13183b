// The backward kernels: the gradient of fake quantization. They trust their
// arguments, do not allocate, and give the same bits on every SIMD target. Only
// core includes this, and the tests and benchmarks of the kernels.

#ifndef QUANTD_CORE_KERNELS_GRADIENT_KERNELS_H_
#define QUANTD_CORE_KERNELS_GRADIENT_KERNELS_H_

#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"

namespace quantd::core::kernels {

// Sums of gradients: where inputs lie below and above the nudged range.
struct RangeGradients {
  double min = 0;
  double max = 0;
};

// The number of partial sums of a run, whatever the width of a vector.
inline constexpr std::size_t kPartialSums = kMaxLanes;

// The sums of a run while it is worked on: partial sum l takes, in turn, the
// elements whose index within the run is l modulo 16.
struct alignas(kPartialSums * sizeof(float)) PartialSums {
  double min[kPartialSums] = {};
  double max[kPartialSums] = {};
};

// Writes gradient * (nudged_min <= input <= nudged_max) of `count` elements of
// one channel to `input_gradients`, and adds to `sums`. Input and output do not
// overlap. A run may be worked on part by part: all parts but the last have a
// multiple of kPartialSums elements.
//
// Vectors of any width up to 16 lanes keep to the order of the sums.
void GradientRun(ElementPointer gradients, ElementPointer inputs, std::size_t count,
                 float nudged_min, float nudged_max, Store store, float* input_gradients,
                 PartialSums& sums);

// The sums of a run that is done: partial sums l and l + 8 are added, then l
// and l + 4, l and l + 2, l and l + 1.
RangeGradients AddPartialSums(const PartialSums& partial_sums);

// Writes the same for `rows` rows of `columns` elements, `stride` elements
// apart, of which column j has the parameters j % 16 of block j / 16, and all
// have codes 0..levels above the lowest; adds each column's elements, row after
// row, to min_sums[j] and max_sums[j].
void GradientColumns(ElementPointer gradients, ElementPointer inputs, std::size_t rows,
                     std::size_t columns, std::size_t stride, const ColumnParameters* parameters,
                     float levels, Store store, float* input_gradients, double* min_sums,
                     double* max_sums);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_GRADIENT_KERNELS_H_
