// A large tensor as a sequence of small ones, for a stream.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/quantization.h"
#include "core/tensor_shape.h"

namespace quantd::client {

// A run of a tensor's elements, in C order, that is a tensor of its own: fake
// quantization with its channels' ranges gives the bits that it gives within
// the whole tensor.
struct TensorPart {
  std::size_t first_element = 0;
  std::size_t element_count = 0;
  // Its channels among those of the whole tensor; one without an axis.
  std::size_t first_channel = 0;
  std::size_t channel_count = 1;
  // Where its channels lie. None for a tensor without an axis: such tensors are
  // computed in another way than those with an axis of one channel.
  std::optional<std::int32_t> axis;

  std::span<const std::int64_t> shape() const { return std::span(dimensions).first(rank); }

  // Returns its values of `range`, the range of the whole tensor.
  core::Range RangeOf(const core::Range& range) const {
    return {.min = range.min.subspan(first_channel, channel_count),
            .max = range.max.subspan(first_channel, channel_count),
            .axis = axis};
  }

  // Returns true if `other`, a part of the same tensor, has the same range along
  // the same axis.
  bool HasRangeOf(const TensorPart& other) const {
    return first_channel == other.first_channel && channel_count == other.channel_count &&
           axis == other.axis;
  }

  // The first `rank` of them are the shape.
  std::array<std::int64_t, 3> dimensions = {};
  std::size_t rank = 0;
};

// Returns a part of all channels, but without elements: with it, a server checks
// the whole range. `has_axis` as in TensorParts.
TensorPart EmptyPart(const core::ChannelLayout& layout, bool has_axis);

// The parts of a tensor, one after another. They cover it from the first element
// to the last, each element once, and are about equally large: whole rows of all
// channels if a row is small enough; otherwise several whole channels of one row,
// or a piece of one channel.
class TensorParts {
 public:
  // The parts have at most `max_elements`, which is at least 1. `layout` says how
  // the channels of the tensor lie, and `has_axis` whether it has an axis.
  TensorParts(const core::ChannelLayout& layout, bool has_axis, std::size_t max_elements);

  // Returns the next part, or nothing after the last. A tensor without elements
  // has none.
  std::optional<TensorPart> Next();

 private:
  // What parts are runs of. Everything below it in the list stays whole.
  enum class Level { kRows, kChannels, kElements };

  TensorPart PartAt(std::size_t first_element) const;

  core::ChannelLayout layout_;
  bool has_axis_;
  Level level_ = Level::kElements;
  // How many rows, channels or elements a part has. The last one of a tensor, row
  // or channel may have fewer.
  std::size_t size_ = 1;
  std::size_t next_element_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_
