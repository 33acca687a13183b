#include "client/quantctl/quantization_error.h"

#include <cstddef>
#include <limits>

#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

float ValueOf(std::int32_t code, std::int32_t zero_point, float scale) {
  return static_cast<float>((static_cast<double>(code) - zero_point) * scale);
}

// Returns the share of elements outside the limits.
double ClippedShare(std::span<const float> original, const ValueLimits& limits,
                    const core::ParameterLayout& layout) {
  if (original.empty()) {
    return 0;
  }
  std::size_t clipped = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    const std::size_t parameter = layout.ParameterOf(i);
    clipped += static_cast<std::size_t>(original[i] < limits.min[parameter] ||
                                        original[i] > limits.max[parameter]);
  }
  return static_cast<double>(clipped) / static_cast<double>(original.size());
}

}  // namespace

ValueLimits LimitsOf(const core::NudgedRange& range) {
  return {.min = range.min, .max = range.max};
}

ValueLimits LimitsOf(const core::AffineParameters& affine, const core::CodeRange& codes) {
  ValueLimits limits;
  for (std::size_t i = 0; i < affine.scale.size(); ++i) {
    const std::int32_t zero_point = affine.zero_point.empty() ? 0 : affine.zero_point[i];
    limits.min.push_back(ValueOf(codes.min, zero_point, affine.scale[i]));
    limits.max.push_back(ValueOf(codes.max, zero_point, affine.scale[i]));
  }
  return limits;
}

std::vector<float> ValuesOf(const Elements& codes, const core::UsedParameters& parameters,
                            const core::ParameterLayout& layout) {
  const std::vector<std::int32_t> numbers = ToCodes(codes);
  std::vector<float> values(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t parameter = layout.ParameterOf(i);
    values[i] = ValueOf(numbers[i], parameters.zero_point[parameter], parameters.scale[parameter]);
  }
  return values;
}

absl::StatusOr<core::ErrorStatistics> MeasureError(std::span<const std::int64_t> shape,
                                                   std::span<const float> original,
                                                   std::span<const float> quantized,
                                                   const ValueLimits& limits,
                                                   const core::ParameterLayout& layout) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  core::NudgedRange everything;
  everything.min = {-kInfinity};
  everything.max = {kInfinity};
  ASSIGN_OR_RETURN(core::ErrorStatistics statistics,
                   core::MeasureError(shape, original, quantized, everything, std::nullopt));
  statistics.clipped_share = ClippedShare(original, limits, layout);
  return statistics;
}

}  // namespace quantd::client
