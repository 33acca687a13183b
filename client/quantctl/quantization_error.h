// How much a quantization changed a tensor, whatever its parameters.

#ifndef QUANTD_CLIENT_QUANTCTL_QUANTIZATION_ERROR_H_
#define QUANTD_CLIENT_QUANTCTL_QUANTIZATION_ERROR_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/elements.h"
#include "core/error_statistics.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"

namespace quantd::client {

// The least and the greatest value that codes stand for: one each, or one per channel
// or block.
struct ValueLimits {
  core::PerChannel<float> min;
  core::PerChannel<float> max;
};

ValueLimits LimitsOf(const core::NudgedRange& range);

// Returns the limits of scales with `codes`.
ValueLimits LimitsOf(const core::AffineParameters& affine, const core::CodeRange& codes);

// Returns the values that `codes` stand for: (q - zero_point) * scale, rounded to
// float32. `layout` says which of the parameters each code has.
std::vector<float> ValuesOf(const Elements& codes, const core::UsedParameters& parameters,
                            const core::ParameterLayout& layout);

// Compares `quantized` with `original`. Both have this shape, whose parameters lie as
// `layout` says.
//
// Errors: those of core::MeasureError().
absl::StatusOr<core::ErrorStatistics> MeasureError(std::span<const std::int64_t> shape,
                                                   std::span<const float> original,
                                                   std::span<const float> quantized,
                                                   const ValueLimits& limits,
                                                   const core::ParameterLayout& layout);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_QUANTIZATION_ERROR_H_
