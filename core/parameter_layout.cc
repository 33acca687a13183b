#include "core/parameter_layout.h"

#include <variant>

#include "core/base/status_macros.h"

namespace quantd::core {

absl::StatusOr<ParameterLayout> MakeParameterLayout(std::span<const std::int64_t> shape,
                                                    const QuantizationParameters& parameters) {
  if (const auto* range = std::get_if<Range>(&parameters)) {
    ASSIGN_OR_RETURN(const ChannelLayout channels, MakeChannelLayout(shape, range->axis));
    return ParameterLayout{.channels = channels};
  }
  const auto& affine = std::get<AffineParameters>(parameters);
  ASSIGN_OR_RETURN(const ChannelLayout channels,
                   MakeChannelLayout(shape, affine.axis, "affine.axis"));
  return ParameterLayout{.channels = channels, .block_size = affine.block_size.value_or(0)};
}

}  // namespace quantd::core
