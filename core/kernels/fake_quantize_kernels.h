// The forward kernels: every vector instruction of fake quantization. They
// trust their arguments, do not allocate, and give the same bits on every SIMD
// target. Only core includes this, and the tests and benchmarks of the kernels.

#ifndef QUANTD_CORE_KERNELS_FAKE_QUANTIZE_KERNELS_H_
#define QUANTD_CORE_KERNELS_FAKE_QUANTIZE_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/store.h"

namespace quantd::core::kernels {

// How shifted values become codes: TensorFlow divides in one op and multiplies
// in the others, and the last bits differ.
enum class Rounding { kDivideByScale, kMultiplyByInverseScale };

// What stands for one channel, as design.md's numerics contract names it.
struct ChannelParameters {
  float nudged_min;
  float nudged_max;
  float scale;
  float inverse_scale;
  float quant_zero;
};

// The parameters of neighbouring columns, one array for each.
struct ColumnParameters {
  const float* nudged_min;
  const float* nudged_max;
  const float* scale;
  const float* inverse_scale;
  const float* quant_zero;
};

// Fake-quantizes `count` elements of one channel. `input` and `output` either
// are the same or do not overlap.
void FakeQuantizeRun(const float* input, std::size_t count, const ChannelParameters& channel,
                     Rounding rounding, Store store, float* output);

// Fake-quantizes `rows` rows of `columns` elements, `stride` elements apart;
// column j has the parameters parameters.…[j]. Multiplies by the inverse scale.
// `input` and `output` either are the same or do not overlap.
void FakeQuantizeColumns(const float* input, std::size_t rows, std::size_t columns,
                         std::size_t stride, const ColumnParameters& parameters, Store store,
                         float* output);

// The Highway target that the kernels run on: one HWY_… bit.
std::int64_t DispatchedTarget();

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_FAKE_QUANTIZE_KERNELS_H_
