// Which parameters each element of a tensor has.

#ifndef QUANTD_CORE_PARAMETER_LAYOUT_H_
#define QUANTD_CORE_PARAMETER_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
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

// Checks the size of blocks without a shape. `parameters` is the field that they are of, such
// as "affine". Errors: INVALID_BLOCK_SIZE for 0, or without an axis.
absl::Status CheckBlockSize(const std::string& parameters, std::optional<std::int32_t> axis,
                            std::optional<std::uint32_t> block_size);

// Returns the layout of `shape` along an axis, in blocks unless their size is 0. Errors: those
// of MakeChannelLayout(), which name `axis_field`.
absl::StatusOr<ParameterLayout> MakeParameterLayout(std::span<const std::int64_t> shape,
                                                    std::optional<std::int32_t> axis,
                                                    std::size_t block_size,
                                                    std::string_view axis_field);

// Returns the layout of `shape` along the axis of `parameters`. Errors: those of
// MakeChannelLayout(), which name the axis of a range or of a scale.
absl::StatusOr<ParameterLayout> MakeParameterLayout(std::span<const std::int64_t> shape,
                                                    const QuantizationParameters& parameters);

}  // namespace quantd::core

#endif  // QUANTD_CORE_PARAMETER_LAYOUT_H_
