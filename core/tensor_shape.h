// Shapes of tensors in C order, and how channels lie in them.

#ifndef QUANTD_CORE_TENSOR_SHAPE_H_
#define QUANTD_CORE_TENSOR_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"

namespace quantd::core {

// The product of the dimensions: 1 for a scalar, 0 where a dimension is 0.
//
// Errors: TENSOR_SIZE_MISMATCH, naming "shape[2]", for a negative dimension, or
// "shape" where the elements would not fit into the address space at 8 bytes
// each.
absl::StatusOr<std::size_t> ElementCount(std::span<const std::int64_t> shape);

// How the channels of an axis lie in memory: `outer` times one after another
// `channels` runs of `inner` elements. A whole tensor is 1 x 1 x n.
struct ChannelLayout {
  std::size_t outer = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;

  std::size_t element_count() const { return outer * channels * inner; }
};

// The layout of `shape` along `axis` (-rank..rank-1; negative counts from the
// last dimension), or of the whole tensor without one.
//
// Errors: those of ElementCount(); AXIS_OUT_OF_RANGE, naming "range.axis".
absl::StatusOr<ChannelLayout> MakeChannelLayout(std::span<const std::int64_t> shape,
                                                std::optional<std::int32_t> axis);

}  // namespace quantd::core

#endif  // QUANTD_CORE_TENSOR_SHAPE_H_
