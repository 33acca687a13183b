// The parameters of quantizations, whatever their kind.

#ifndef QUANTD_CLIENT_LIBRARY_PARAMETERS_H_
#define QUANTD_CLIENT_LIBRARY_PARAMETERS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"
#include "core/quantizer.h"

namespace quantd::client {

// A core::Range that owns its values.
struct RangeValues {
  std::vector<float> min;
  std::vector<float> max;
  std::optional<std::int32_t> axis;

  // Valid as long as the vectors exist unchanged.
  core::Range view() const { return {.min = min, .max = max, .axis = axis}; }
};

// core::AffineParameters that own their values.
struct AffineValues {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  std::optional<std::int32_t> axis;
  std::optional<std::uint32_t> block_size;

  // Valid as long as the vectors exist unchanged.
  core::AffineParameters view() const {
    return {.scale = scale, .zero_point = zero_point, .axis = axis, .block_size = block_size};
  }
};

// QuantizeParameters that own their values.
using ParameterValues = std::variant<RangeValues, AffineValues, core::DataRange>;

// Valid as long as `values` exist unchanged.
QuantizeParameters ViewOf(const ParameterValues& values);

// Returns parameters that were used as parameters to use again. Valid as long as
// `used` exists unchanged.
core::AffineParameters ViewOf(const core::UsedParameters& used);

// Returns parameters of one of two kinds as one of three, and back. The latter are
// not a DataRange.
QuantizeParameters WithDataRange(const core::QuantizationParameters& parameters);
core::QuantizationParameters WithoutDataRange(const QuantizeParameters& parameters);

std::optional<std::int32_t> AxisOf(const QuantizeParameters& parameters);
// Nothing for a range.
std::optional<std::uint32_t> BlockSizeOf(const QuantizeParameters& parameters);

// The size of the values in bytes.
std::size_t SizeInBytes(const QuantizeParameters& parameters);

// Returns which parameters each element of a tensor of this shape has. Those of a
// DataRange lie like those of scales.
//
// Errors: those of core::MakeParameterLayout().
absl::StatusOr<core::ParameterLayout> LayoutOf(std::span<const std::int64_t> shape,
                                               const QuantizeParameters& parameters);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_PARAMETERS_H_
