// Which parameters each element of a tensor has.

#ifndef QUANTD_CORE_PARAMETER_LAYOUT_H_
#define QUANTD_CORE_PARAMETER_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "core/quantization.h"
#include "core/tensor_shape.h"

namespace quantd::core {

// The layout of channels, or of blocks along their axis. With blocks, channel c of
// the axis belongs to block c / block_size; the parameters lie in C order of the
// shape in which the axis counts blocks.
struct ParameterLayout {
  ChannelLayout channels;
  // 0 without blocks.
  std::size_t block_size = 0;

  std::size_t element_count() const { return channels.element_count(); }
  bool has_blocks() const { return block_size != 0; }

  // The number of blocks along the axis.
  std::size_t blocks() const { return (channels.channels + block_size - 1) / block_size; }

  // The number of parameters of each kind.
  std::size_t parameter_count() const {
    return has_blocks() ? channels.outer * blocks() * channels.inner : channels.channels;
  }

  // The index of the parameters of an element, which exists.
  std::size_t ParameterOf(std::size_t element) const {
    const std::size_t channel = element / channels.inner % channels.channels;
    if (!has_blocks()) {
      return channel;
    }
    const std::size_t outer = element / channels.inner / channels.channels;
    return (outer * blocks() + channel / block_size) * channels.inner + element % channels.inner;
  }
};

// Returns the layout of `shape` along the axis of `parameters`. Errors: those of
// MakeChannelLayout(), which name the axis of a range or of a scale.
absl::StatusOr<ParameterLayout> MakeParameterLayout(std::span<const std::int64_t> shape,
                                                    const QuantizationParameters& parameters);

}  // namespace quantd::core

#endif  // QUANTD_CORE_PARAMETER_LAYOUT_H_
