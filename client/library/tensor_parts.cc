#include "client/library/tensor_parts.h"

#include <algorithm>
#include <cassert>
#include <initializer_list>
#include <numeric>
#include <utility>
#include <variant>

namespace quantd::client {
namespace {

std::size_t DividedUp(std::size_t size, std::size_t divisor) {
  return (size + divisor - 1) / divisor;
}

// Returns the size of the parts, at most `limit`, that `size` is cut into: as few
// parts as possible, of which the last one may be smaller.
std::size_t EvenSize(std::size_t size, std::size_t limit) {
  return DividedUp(size, DividedUp(size, limit));
}

void SetShape(std::initializer_list<std::size_t> dimensions, TensorPart* part) {
  part->element_count = 1;
  for (const std::size_t dimension : dimensions) {
    part->dimensions.at(part->rank++) = static_cast<std::int64_t>(dimension);
    part->element_count *= dimension;
  }
}

}  // namespace

core::QuantizationParameters TensorPart::ParametersOf(
    const core::QuantizationParameters& whole) const {
  if (const auto* const range = std::get_if<core::Range>(&whole)) {
    return core::Range{.min = range->min.subspan(first_parameter, parameter_count),
                       .max = range->max.subspan(first_parameter, parameter_count),
                       .axis = axis};
  }
  const auto& affine = *std::get_if<core::AffineParameters>(&whole);
  core::AffineParameters share{.scale = affine.scale.subspan(first_parameter, parameter_count),
                               .axis = axis,
                               .block_size = block_size};
  if (!affine.zero_point.empty()) {
    share.zero_point = affine.zero_point.subspan(first_parameter, parameter_count);
  }
  return share;
}

TensorPart EmptyPart(const core::ChannelLayout& layout, bool has_axis) {
  TensorPart part{.parameter_count = layout.channels};
  if (has_axis) {
    part.axis = 1;
    SetShape({0, layout.channels, 1}, &part);
  } else {
    SetShape({0}, &part);
  }
  return part;
}

TensorParts::TensorParts(const core::ParameterLayout& layout, bool has_axis,
                         const PartLimits& limits)
    : layout_(layout), has_axis_(has_axis) {
  assert(limits.max_elements >= 1);
  assert(has_axis_ || !layout_.has_blocks());
  if (layout_.element_count() > 0) {
    Choose(limits);
  }
}

absl::InlinedVector<TensorParts::Level, 4> TensorParts::Levels() const {
  const auto& [outer, channels, inner] = layout_.channels;
  if (!has_axis_) {
    return {{.kind = Level::Kind::kElements, .elements = 1, .count = inner}};
  }
  const Level rows{.kind = Level::Kind::kRows, .elements = channels * inner, .count = outer};
  const Level elements{.kind = Level::Kind::kElements, .elements = 1, .count = inner};
  if (!layout_.has_blocks()) {
    return {rows, {.kind = Level::Kind::kChannels, .elements = inner, .count = channels}, elements};
  }
  return {rows,
          {.kind = Level::Kind::kBlocks,
           .elements = BlockChannels() * inner,
           .count = layout_.blocks()},
          {.kind = Level::Kind::kChannels, .elements = inner, .count = BlockChannels()},
          elements};
}

std::size_t TensorParts::BlockChannels() const {
  return std::min(layout_.block_size, layout_.channels.channels);
}

void TensorParts::Choose(const PartLimits& limits) {
  const auto levels = Levels();
  const bool keeps_channels_together =
      !layout_.has_blocks() && layout_.channels.channels >= limits.min_channels;
  const std::size_t min_channels = keeps_channels_together ? limits.min_channels : 1;
  std::size_t chosen = 0;
  while (chosen + 1 < levels.size() && levels[chosen].elements > limits.max_elements) {
    const bool next_is_aligned =
        levels[chosen].count == 1 || levels[chosen].elements % limits.alignment == 0;
    const bool next_is_allowed =
        levels[chosen + 1].kind != Level::Kind::kElements || min_channels == 1;
    if (!next_is_aligned || !next_is_allowed) {
      break;
    }
    ++chosen;
  }
  const Level& level = levels[chosen];
  kind_ = level.kind;
  // Only multiples of this number have a multiple of `alignment` elements.
  const std::size_t step = limits.alignment / std::gcd(limits.alignment, level.elements);
  const std::size_t least = kind_ == Level::Kind::kChannels ? min_channels : 1;
  const std::size_t limit = std::max(limits.max_elements / level.elements, least);
  const std::size_t whole_steps = std::max(limit - limit % step, step);
  size_ = DividedUp(EvenSize(level.count, whole_steps), step) * step * level.elements;
  least_size_ = least > 1 ? least * level.elements : 1;
}

std::optional<TensorPart> TensorParts::Next() {
  if (next_element_ == layout_.element_count()) {
    return std::nullopt;
  }
  const std::size_t rest = EndAround(next_element_) - next_element_;
  const TensorPart part = PartOf(next_element_, rest < size_ + least_size_ ? rest : size_);
  next_element_ += part.element_count;
  return part;
}

std::size_t TensorParts::EndAround(std::size_t element) const {
  const auto& [outer, channels, inner] = layout_.channels;
  const std::size_t row = channels * inner;
  const std::size_t row_end = element - element % row + row;
  switch (kind_) {
    case Level::Kind::kRows:
      return outer * row;
    case Level::Kind::kBlocks:
      return row_end;
    case Level::Kind::kChannels: {
      if (!layout_.has_blocks()) {
        return row_end;
      }
      const std::size_t block = BlockChannels() * inner;
      return std::min(element - element % row % block + block, row_end);
    }
    case Level::Kind::kElements:
      return element - element % inner + inner;
  }
  return row_end;
}

TensorPart TensorParts::PartOf(std::size_t first_element, std::size_t element_count) const {
  TensorPart part = layout_.has_blocks() ? PartOfBlocks(first_element, element_count)
                                         : PartOfChannels(first_element, element_count);
  assert(part.element_count == element_count);
  part.first_element = first_element;
  return part;
}

TensorPart TensorParts::PartOfChannels(std::size_t first_element, std::size_t element_count) const {
  const auto& [outer, channels, inner] = layout_.channels;
  TensorPart part;
  if (kind_ == Level::Kind::kRows) {
    part.parameter_count = channels;
    part.axis = 1;
    SetShape({element_count / (channels * inner), channels, inner}, &part);
    return part;
  }
  part.first_parameter = layout_.ParameterOf(first_element);
  if (!has_axis_) {
    SetShape({element_count}, &part);
    return part;
  }
  part.axis = 0;
  part.parameter_count = DividedUp(element_count, inner);
  SetShape({part.parameter_count, element_count / part.parameter_count}, &part);
  return part;
}

TensorPart TensorParts::PartOfBlocks(std::size_t first_element, std::size_t element_count) const {
  const auto& [outer, channels, inner] = layout_.channels;
  const std::size_t row = channels * inner;
  TensorPart part;
  part.block_size = static_cast<std::uint32_t>(layout_.block_size);
  part.first_parameter = layout_.ParameterOf(first_element);
  if (kind_ == Level::Kind::kRows) {
    part.axis = 1;
    SetShape({element_count / row, channels, inner}, &part);
    part.parameter_count = element_count / row * layout_.blocks() * inner;
    return part;
  }
  part.axis = 0;
  if (kind_ == Level::Kind::kElements) {
    SetShape({1, element_count}, &part);
    part.parameter_count = element_count;
    return part;
  }
  SetShape({element_count / inner, inner}, &part);
  part.parameter_count = DividedUp(element_count / inner, layout_.block_size) * inner;
  return part;
}

}  // namespace quantd::client
