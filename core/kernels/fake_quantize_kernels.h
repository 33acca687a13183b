// The forward kernels: every vector instruction of fake quantization. They
// trust their arguments, do not allocate, and give the same bits on every SIMD
// target. Only core includes this, and the tests and benchmarks of the kernels.

#ifndef QUANTD_CORE_KERNELS_FAKE_QUANTIZE_KERNELS_H_
#define QUANTD_CORE_KERNELS_FAKE_QUANTIZE_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"

namespace quantd::core::kernels {

// Fake-quantizes `count` elements of one channel. `input` and `output` either
// are the same or do not overlap.
void FakeQuantizeRun(ElementPointer input, std::size_t count, const ChannelParameters& channel,
                     Rounding rounding, Store store, float* output);

// Fake-quantizes `rows` rows of `columns` elements, `stride` elements apart;
// column j has the parameters j % 16 of block j / 16, and all have codes
// 0..levels above the lowest. Multiplies by the inverse scale.
// `input` and `output` either are the same or do not overlap.
void FakeQuantizeColumns(ElementPointer input, std::size_t rows, std::size_t columns,
                         std::size_t stride, const ColumnParameters* parameters, float levels,
                         Store store, float* output);

// The Highway target that the kernels run on: one HWY_… bit.
std::int64_t DispatchedTarget();

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_FAKE_QUANTIZE_KERNELS_H_
