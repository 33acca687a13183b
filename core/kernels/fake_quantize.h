// The forward kernels: all vector instructions of fake quantization.
//
// Kernels trust their arguments, do not allocate, and produce the same bits on
// every SIMD target. Each pair of an input and an output type has a translation
// unit of its own. Only core/operations includes this, and the kernels' tests.

#ifndef QUANTD_CORE_KERNELS_FAKE_QUANTIZE_H_
#define QUANTD_CORE_KERNELS_FAKE_QUANTIZE_H_

#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"
#include "core/numerics.h"

namespace quantd::core::kernels {

// `count` contiguous elements of one channel. `input` and `output` are either the
// same or do not overlap.
template <typename In, typename Out>
struct RunArguments {
  ElementPointer<In> input;
  std::size_t count;
  const ChannelParameters* channel;
  Quotient quotient;
  TieRule ties;
  Store store;
  Out* output;
};

// `rows` rows of `columns` elements. Rows begin `stride` elements apart, in the
// input and in the output, which are either the same or do not overlap.
template <typename In, typename Out>
struct ColumnsArguments {
  ElementPointer<In> input;
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
  // Column j has the parameters j % kMaxLanes of block j / kMaxLanes.
  const ColumnParameters* parameters;
  // The number of steps between the lowest and the highest code of each column.
  float levels;
  Quotient quotient;
  TieRule ties;
  Store store;
  Out* output;
};

// Fake-quantizes a run.
void FakeQuantizeRun(const RunArguments<float, float>& arguments);

// Fake-quantizes rows of columns.
void FakeQuantizeColumns(const ColumnsArguments<float, float>& arguments);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_FAKE_QUANTIZE_H_
