#include "client/library/tensor_parts.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>

namespace quantd::client {
namespace {

// Returns the size of the parts, at most `limit`, that `size` is cut into: as few
// parts as possible, of which the last one may be smaller.
std::size_t EvenSize(std::size_t size, std::size_t limit) {
  const std::size_t count = (size + limit - 1) / limit;
  return (size + count - 1) / count;
}

void SetShape(std::initializer_list<std::size_t> dimensions, TensorPart* part) {
  part->element_count = 1;
  for (const std::size_t dimension : dimensions) {
    part->dimensions.at(part->rank++) = static_cast<std::int64_t>(dimension);
    part->element_count *= dimension;
  }
}

}  // namespace

TensorPart EmptyPart(const core::ChannelLayout& layout, bool has_axis) {
  TensorPart part;
  part.channel_count = layout.channels;
  if (has_axis) {
    part.axis = 1;
    SetShape({0, layout.channels, 1}, &part);
  } else {
    SetShape({0}, &part);
  }
  return part;
}

TensorParts::TensorParts(const core::ChannelLayout& layout, bool has_axis, std::size_t max_elements)
    : layout_(layout), has_axis_(has_axis) {
  assert(max_elements >= 1);
  const std::size_t row = layout.channels * layout.inner;
  if (layout.element_count() == 0) {
    return;
  }
  if (has_axis && row <= max_elements) {
    level_ = Level::kRows;
    size_ = EvenSize(layout.outer, max_elements / row);
  } else if (has_axis && layout.inner <= max_elements) {
    level_ = Level::kChannels;
    size_ = EvenSize(layout.channels, max_elements / layout.inner);
  } else {
    level_ = Level::kElements;
    size_ = EvenSize(layout.inner, max_elements);
  }
}

std::optional<TensorPart> TensorParts::Next() {
  if (next_element_ == layout_.element_count()) {
    return std::nullopt;
  }
  TensorPart part = PartAt(next_element_);
  next_element_ += part.element_count;
  return part;
}

TensorPart TensorParts::PartAt(std::size_t first_element) const {
  TensorPart part;
  part.first_element = first_element;
  const std::size_t run = first_element / layout_.inner;
  const std::size_t channel = run % layout_.channels;
  switch (level_) {
    case Level::kRows:
      part.channel_count = layout_.channels;
      part.axis = 1;
      SetShape({std::min(size_, layout_.outer - run / layout_.channels), layout_.channels,
                layout_.inner},
               &part);
      break;
    case Level::kChannels:
      part.first_channel = channel;
      part.channel_count = std::min(size_, layout_.channels - channel);
      part.axis = 0;
      SetShape({part.channel_count, layout_.inner}, &part);
      break;
    case Level::kElements: {
      const std::size_t count = std::min(size_, layout_.inner - first_element % layout_.inner);
      part.first_channel = channel;
      if (has_axis_) {
        part.axis = 0;
        SetShape({1, count}, &part);
      } else {
        SetShape({count}, &part);
      }
      break;
    }
  }
  return part;
}

}  // namespace quantd::client
