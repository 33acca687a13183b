// The kernels from codes to float32. See quantize.h for what all kernels have in
// common.

#ifndef QUANTD_CORE_KERNELS_DEQUANTIZE_H_
#define QUANTD_CORE_KERNELS_DEQUANTIZE_H_

#include <cstddef>
#include <cstdint>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"

namespace quantd::core::kernels {

// As RunArguments in quantize.h. Nothing overlaps.
template <typename Code>
struct DequantizeRunArguments {
  ElementPointer<Code> input;
  std::size_t count;
  const ChannelParameters* channel;
  const Rules* rules;
  Store store;
  float* output;
};

// As ColumnsArguments in quantize.h. Nothing overlaps.
template <typename Code>
struct DequantizeColumnsArguments {
  ElementPointer<Code> input;
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
  const ColumnParameters* parameters;
  const Rules* rules;
  Store store;
  float* output;
};

// Write the values of codes.
void DequantizeRun(const DequantizeRunArguments<std::int8_t>& arguments);
void DequantizeRun(const DequantizeRunArguments<std::uint8_t>& arguments);
void DequantizeRun(const DequantizeRunArguments<std::int16_t>& arguments);
void DequantizeRun(const DequantizeRunArguments<std::uint16_t>& arguments);
void DequantizeColumns(const DequantizeColumnsArguments<std::int8_t>& arguments);
void DequantizeColumns(const DequantizeColumnsArguments<std::uint8_t>& arguments);
void DequantizeColumns(const DequantizeColumnsArguments<std::int16_t>& arguments);
void DequantizeColumns(const DequantizeColumnsArguments<std::uint16_t>& arguments);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_DEQUANTIZE_H_
