#include "core/parameter_layout.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace quantd::core {

absl::Status CheckBlockSize(const std::string& parameters, std::optional<std::int32_t> axis,
                            std::optional<std::uint32_t> block_size) {
  if (!block_size.has_value() || (*block_size > 0 && axis.has_value())) {
    return absl::OkStatus();
  }
  const std::string field = absl::StrCat(parameters, ".block_size");
  return InvalidArgument(
      ErrorReason::kInvalidBlockSize,
      *block_size == 0
          ? absl::StrCat(field,
                         " is 0; expected 1 or more: leave it out to have one scale per "
                         "channel")
          : absl::StrCat(field, " is set without ", parameters,
                         ".axis; expected an axis, along which the blocks lie: set it, or leave "
                         "out the block size"),
      {.field = field, .metadata = {{"block_size", absl::StrCat(*block_size)}}});
}

absl::StatusOr<ParameterLayout> MakeParameterLayout(std::span<const std::int64_t> shape,
                                                    std::optional<std::int32_t> axis,
                                                    std::size_t block_size,
                                                    std::string_view axis_field) {
  ASSIGN_OR_RETURN(const ChannelLayout channels, MakeChannelLayout(shape, axis, axis_field));
  return ParameterLayout{.channels = channels, .block_size = block_size};
}

absl::StatusOr<ParameterLayout> MakeParameterLayout(std::span<const std::int64_t> shape,
                                                    const QuantizationParameters& parameters) {
  if (const auto* range = std::get_if<Range>(&parameters)) {
    return MakeParameterLayout(shape, range->axis, 0, "range.axis");
  }
  const auto& affine = std::get<AffineParameters>(parameters);
  return MakeParameterLayout(shape, affine.axis, affine.block_size.value_or(0), "affine.axis");
}

}  // namespace quantd::core
