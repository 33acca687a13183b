// The kernels from codes to float32. See quantize.h for what all kernels have in
// common.

#ifndef QUANTD_CORE_KERNELS_DEQUANTIZE_H_
#define QUANTD_CORE_KERNELS_DEQUANTIZE_H_

#include <cstdint>

#include "core/kernels/elementwise.h"

namespace quantd::core::kernels {

// Write the values of codes. Nothing overlaps.
void DequantizeRun(const RunArguments<std::int8_t, float>& arguments);
void DequantizeRun(const RunArguments<std::uint8_t, float>& arguments);
void DequantizeRun(const RunArguments<std::int16_t, float>& arguments);
void DequantizeRun(const RunArguments<std::uint16_t, float>& arguments);
void DequantizeColumns(const ColumnsArguments<std::int8_t, float>& arguments);
void DequantizeColumns(const ColumnsArguments<std::uint8_t, float>& arguments);
void DequantizeColumns(const ColumnsArguments<std::int16_t, float>& arguments);
void DequantizeColumns(const ColumnsArguments<std::uint16_t, float>& arguments);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_DEQUANTIZE_H_
