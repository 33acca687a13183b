// The forward kernels: all vector instructions of fake quantization and of
// quantization to codes.
//
// Kernels trust their arguments, do not allocate, and produce the same bits on
// every SIMD target. They compute in float32. Each type of output has a translation unit
// of its own. Only core/operations includes this, and the kernels' tests.

#ifndef QUANTD_CORE_KERNELS_QUANTIZE_H_
#define QUANTD_CORE_KERNELS_QUANTIZE_H_

#include <cstdint>

#include "core/base/float16.h"
#include "core/kernels/elementwise.h"

namespace quantd::core::kernels {

// Fake-quantize a run, and rows of columns.
void FakeQuantizeRun(const RunArguments<float, float>& arguments);
void FakeQuantizeRun(const RunArguments<Float16, Float16>& arguments);
void FakeQuantizeRun(const RunArguments<BFloat16, BFloat16>& arguments);
void FakeQuantizeColumns(const ColumnsArguments<float, float>& arguments);
void FakeQuantizeColumns(const ColumnsArguments<Float16, Float16>& arguments);
void FakeQuantizeColumns(const ColumnsArguments<BFloat16, BFloat16>& arguments);

// Quantize them to codes, of which they write the low 8 or 16 bits: signed ones are
// in two's complement. Return whether any element was NaN although the formula keeps
// NaN: it has no code then.
bool QuantizeRun(const RunArguments<float, std::uint8_t>& arguments);
bool QuantizeRun(const RunArguments<float, std::uint16_t>& arguments);
bool QuantizeColumns(const ColumnsArguments<float, std::uint8_t>& arguments);
bool QuantizeColumns(const ColumnsArguments<float, std::uint16_t>& arguments);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_QUANTIZE_H_
