// Conversions between float32 and codes of 32 bits, which a float32 cannot hold: few
// numerics have them.

#ifndef QUANTD_CORE_KERNELS_INT32_H_
#define QUANTD_CORE_KERNELS_INT32_H_

#include <cstddef>
#include <cstdint>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"
#include "core/numerics.h"
#include "core/quantization.h"

namespace quantd::core::kernels {

// Parameters of elements: element i has those of index i * stride. A stride of 0 is
// for a run of one channel, and 1 for one element of each.
struct Int32Channels {
  const ChannelParameters* parameters;
  const std::int32_t* zero_points;
  std::size_t stride;
};

// Writes the codes of `count` elements. The formula is kMultiplyHalfEven or
// kMultiplyHalfUp.
void QuantizeToInt32(ElementPointer<float> input, std::size_t count, const Int32Channels& channels,
                     StepFormula step, CodeRange codes, std::int32_t* output);

// Writes the values of `count` codes.
void DequantizeFromInt32(ElementPointer<std::int32_t> input, std::size_t count,
                         const Int32Channels& channels, Int32Difference difference, float* output);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_INT32_H_
