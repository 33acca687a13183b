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
  // The channels it has, of the whole tensor's; one where there is no axis.
  std::size_t first_channel = 0;
  std::size_t channel_count = 1;
  // Where its channels lie. None for a tensor without an axis: those are
  // computed in another way than a tensor with an axis of one channel.
  std::optional<std::int32_t> axis;

  // Each dimension at least 1.
  std::span<const std::int64_t> shape() const { return std::span(dimensions).first(rank); }

  // Its values of `range`, which is that of the whole tensor.
  core::Range RangeOf(const core::Range& range) const {
    return {.min = range.min.subspan(first_channel, channel_count),
            .max = range.max.subspan(first_channel, channel_count),
            .axis = axis};
  }

  // Whether `other` has the same range.
  bool HasRangeOf(const TensorPart& other) const {
    return first_channel == other.first_channel && channel_count == other.channel_count;
  }

  // The first `rank` of them are the shape.
  std::array<std::int64_t, 3> dimensions = {};
  std::size_t rank = 0;
};

// Walks over the parts of a tensor. They cover it from the first element to the
// last, each element once, and are about equally large: whole rows of all
// channels where a row is small enough, else several whole channels of one row,
// else a piece of one channel.
class TensorParts {
 public:
  // Parts of at most `max_elements`, at least 1, of a tensor whose channels lie
  // as `layout` says; with an axis or, where `has_axis` is false, without.
  TensorParts(const core::ChannelLayout& layout, bool has_axis, std::size_t max_elements);

  // The next part, or nothing after the last. A tensor without elements has
  // none.
  std::optional<TensorPart> Next();

 private:
  // What parts are runs of; what lies within is whole.
  enum class Level { kRows, kChannels, kElements };

  TensorPart PartAt(std::size_t first_element) const;

  core::ChannelLayout layout_;
  bool has_axis_;
  Level level_ = Level::kElements;
  // How many of them a part has; the last one of a tensor, row or channel may
  // have fewer.
  std::size_t size_ = 1;
  std::size_t next_element_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_PARTS_H_
