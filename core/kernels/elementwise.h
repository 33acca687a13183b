// What kernels are told of the elements that they compute one by one.

#ifndef QUANTD_CORE_KERNELS_ELEMENTWISE_H_
#define QUANTD_CORE_KERNELS_ELEMENTWISE_H_

#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"

namespace quantd::core::kernels {

// `count` contiguous elements of one channel. `input` and `output` do not overlap,
// unless both are of one type: then they may be the same.
template <typename In, typename Out>
struct RunArguments {
  ElementPointer<In> input;
  std::size_t count;
  const ChannelParameters* channel;
  const Rules* rules;
  Store store;
  Out* output;
};

// `rows` rows of `columns` elements. Rows begin `stride` elements apart, in the
// input and in the output, which overlap as in RunArguments.
template <typename In, typename Out>
struct ColumnsArguments {
  ElementPointer<In> input;
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
  // Column j has the parameters j % kMaxLanes of block j / kMaxLanes.
  const ColumnParameters* parameters;
  const Rules* rules;
  Store store;
  Out* output;
};

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_ELEMENTWISE_H_
