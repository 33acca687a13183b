// Fake quantization in double, and its gradient: PyTorch's by scale, and TensorFlow's
// QuantizeAndDequantize by range.

#ifndef QUANTD_CORE_KERNELS_FLOAT64_H_
#define QUANTD_CORE_KERNELS_FLOAT64_H_

#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/numerics.h"

namespace quantd::core::kernels {

// The parameters of one channel. A range has no zero point and no limits of its codes.
struct Float64Channel {
  double scale = 0;
  double inverse_scale = 0;
  double zero_point = 0;
  double quant_min = 0;
  double quant_max = 0;
  // The inputs whose gradients pass: those from `lower` to `upper`. With a range, values
  // are limited to these before they are rounded.
  double lower = 0;
  double upper = 0;
};

// Unlike those of float32, codes of more than 64 bits are not the lowest: infinity has
// the highest. NaN has the lowest.

// Fake-quantizes `count` elements, the i-th of which has channel i * stride: a stride
// of 0 is for a run of one channel, and 1 for one element of each. `input` and
// `output` are either the same or do not overlap.
void FakeQuantizeFloat64(ElementPointer<double> input, std::size_t count,
                         const Float64Channel* channels, std::size_t stride, double* output);

// The same by range, with kClampedHalfEven or kClampedHalfUp and subnormal numbers flushed.
void FakeQuantizeFloat64ByRange(ElementPointer<double> input, std::size_t count,
                                const Float64Channel* channels, std::size_t stride,
                                StepFormula step, double* output);

// Differentiates them. Nothing overlaps.
void GradientFloat64(ElementPointer<double> gradients, ElementPointer<double> inputs,
                     std::size_t count, const Float64Channel* channels, std::size_t stride,
                     bool flushes_subnormals, double* input_gradients);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_FLOAT64_H_
