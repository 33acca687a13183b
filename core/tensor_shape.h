// Shapes of tensors in C order, and the layout of channels in them.

#ifndef QUANTD_CORE_TENSOR_SHAPE_H_
#define QUANTD_CORE_TENSOR_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"

namespace quantd::core {

// Returns the product of the dimensions: 1 for a scalar, and 0 if a dimension is 0.
//
// Errors: TENSOR_SIZE_MISMATCH at a field such as "shape[2]" for a negative
// dimension, and at "shape" if the elements would not fit into the address space
// at 8 bytes each.
absl::StatusOr<std::size_t> ElementCount(std::span<const std::int64_t> shape);

// How the channels along an axis lie in memory: a run of `inner` elements of each
// of the `channels`, one channel after another, and that `outer` times. A tensor
// without an axis is one run: 1 x 1 x n.
struct ChannelLayout {
  std::size_t outer = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;

  std::size_t element_count() const { return outer * channels * inner; }
};

// Returns the layout of `shape` along `axis`, which is -rank..rank-1 and counts
// from the last dimension if it is negative; without an axis, that of one channel.
//
// Errors: those of ElementCount(); AXIS_OUT_OF_RANGE at `axis_field`.
absl::StatusOr<ChannelLayout> MakeChannelLayout(std::span<const std::int64_t> shape,
                                                std::optional<std::int32_t> axis,
                                                std::string_view axis_field = "range.axis");

}  // namespace quantd::core

#endif  // QUANTD_CORE_TENSOR_SHAPE_H_
