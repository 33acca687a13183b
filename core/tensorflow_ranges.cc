#include "core/tensorflow_ranges.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/decimal.h"
#include "core/range_check.h"

namespace quantd::core {
namespace {

// The least width that QuantizeV2 makes ranges, relative to their larger end: the default
// of its ensure_minimum_range.
constexpr float kMinimumRange = 0.01F;

absl::Status NoScale(float min, float max, const ResolvedSpec& spec, std::size_t channel) {
  return InvalidRange(
      "max", channel, min, max,
      absl::StrCat("is too narrow, too wide or on the wrong side of 0 for ",
                   spec.codes.levels() + 1, " codes; expected a range whose scale is at least ",
                   Decimal(2 * kMinNormalFloat),
                   ", whose inverse scale is a normal number, and whose codes have finite values: "
                   "rescale the tensor, or widen the range"));
}

// TensorFlow flushes subnormal results.
float Flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0F, value) : value;
}

// Whether kernels can compute with the scale.
template <typename T>
bool HasScale(T scale, T inverse_scale, T lowest_step, const ResolvedSpec& spec) {
  const T highest_step = lowest_step + static_cast<T>(spec.codes.levels());
  return scale >= 2 * std::numeric_limits<T>::min() && std::isnormal(inverse_scale) &&
         std::isfinite(lowest_step * scale) && std::isfinite(highest_step * scale);
}

// Returns how many steps a unit has so that `end` is `code`, if it lies on that side
// of 0, and otherwise the largest number.
template <typename T>
T StepsToEnd(T code, T end) {
  return code * end > 0 ? code / end : std::numeric_limits<T>::max();
}

// The codes as the op counts them.
template <typename T>
T LowestCode(const ResolvedSpec& spec) {
  return static_cast<T>(spec.codes.min - spec.code_offset);
}
template <typename T>
T HighestCode(const ResolvedSpec& spec) {
  return static_cast<T>(spec.codes.max - spec.code_offset);
}

absl::StatusOr<ScaledRange<float>> CheckedScale(float min, float max, const ResolvedSpec& spec,
                                                std::size_t channel,
                                                const ScaledRange<float>& scaled) {
  return HasScale(scaled.scale, scaled.inverse_scale, scaled.lowest_step, spec)
             ? absl::StatusOr<ScaledRange<float>>(scaled)
             : NoScale(min, max, spec, channel);
}

// Codes count from the lower end.
absl::StatusOr<ScaledRange<float>> ScaleMinCombined(float min, float max, const ResolvedSpec& spec,
                                                    std::size_t channel) {
  const float width = max - min;
  const auto levels = static_cast<float>(spec.codes.levels());
  ScaledRange<float> scaled = {.min = min,
                               .max = max,
                               .scale = width / levels,
                               .inverse_scale = static_cast<float>(double{levels} / double{width}),
                               .lowest_step = min};
  if (!HasScale(scaled.scale, scaled.inverse_scale, 0.0F, spec) ||
      !std::isfinite(levels * scaled.scale + min)) {
    return NoScale(min, max, spec, channel);
  }
  const float steps = (0 - min) * scaled.inverse_scale;
  const float half = spec.code_offset == 0 ? 0 : (levels + 1) / 2;
  const float nearest = half == 0 ? std::floor(steps + 0.5F) : std::round(steps - half) + half;
  scaled.zero_point = static_cast<std::int32_t>(std::clamp(nearest, 0.0F, levels));
  return scaled;
}

// Codes count from the one of 0.
absl::StatusOr<ScaledRange<float>> QuantizeMinFirst(float min, float max, const ResolvedSpec& spec,
                                                    std::size_t channel) {
  const auto levels = static_cast<double>(spec.codes.levels());
  const float width = max - min;
  ScaledRange<float> scaled = {.min = min,
                               .max = max,
                               .scale = static_cast<float>(double{width} / levels),
                               .inverse_scale = static_cast<float>(levels / double{width})};
  scaled.lowest_step = std::round(min * scaled.inverse_scale);
  if (!std::isfinite(width)) {
    return NoScale(min, max, spec, channel);
  }
  scaled.zero_point = static_cast<std::int32_t>(-scaled.lowest_step);
  return CheckedScale(min, max, spec, channel, scaled);
}

// Returns the scale by which Dequantize multiplies codes.
float ScaleOfValues(float min, float max, const ResolvedSpec& spec) {
  const float of_max = max / HighestCode<float>(spec);
  return spec.code_offset == 0 ? of_max : std::max(min / LowestCode<float>(spec), of_max);
}

absl::StatusOr<ScaledRange<float>> QuantizeScaled(float min, float max, const ResolvedSpec& spec,
                                                  std::size_t channel) {
  const auto lowest = LowestCode<float>(spec);
  const auto highest = HighestCode<float>(spec);
  const float inverse_scale = std::min(StepsToEnd(lowest, min), StepsToEnd(highest, max));
  ScaledRange<float> scaled = {.min = lowest / inverse_scale,
                               .max = highest / inverse_scale,
                               .inverse_scale = inverse_scale,
                               .lowest_step = lowest,
                               .zero_point = spec.code_offset};
  scaled.scale = ScaleOfValues(scaled.min, scaled.max, spec);
  if (!std::isfinite(scaled.min) || !std::isfinite(scaled.max)) {
    return NoScale(min, max, spec, channel);
  }
  return CheckedScale(min, max, spec, channel, scaled);
}

absl::StatusOr<ScaledRange<float>> ScaleForCodes(float given_min, float given_max,
                                                 const ResolvedSpec& spec, std::size_t channel) {
  const float margin = std::max({1.0F, std::abs(given_min), std::abs(given_max)}) * kMinimumRange;
  const float min = std::min(0.0F, given_min);
  const float max = std::max(0.0F, std::max(given_max, min + margin));
  switch (spec.range().rule) {
    case RangeRule::kMinCombined:
      return ScaleMinCombined(min, max, spec, channel);
    case RangeRule::kMinFirst:
      return QuantizeMinFirst(min, max, spec, channel);
    default:
      return QuantizeScaled(min, max, spec, channel);
  }
}

// The value of a code is the code times the scale, plus that of code 0.
absl::StatusOr<ScaledRange<float>> DequantizeMinFirst(float min, float max,
                                                      const ResolvedSpec& spec,
                                                      std::size_t channel) {
  const float width = max - min;
  const auto scale = static_cast<float>(double{width} / static_cast<double>(spec.codes.levels()));
  const float rounded_min = std::round(min / scale) * scale;
  const float value_of_zero = Flushed(rounded_min - LowestCode<float>(spec) * scale);
  const ScaledRange<float> scaled = {.min = min,
                                     .max = max,
                                     .scale = scale,
                                     .inverse_scale = 1 / scale,
                                     .lowest_step = value_of_zero};
  const bool is_finite = std::isfinite(value_of_zero + LowestCode<float>(spec) * scale) &&
                         std::isfinite(value_of_zero + HighestCode<float>(spec) * scale);
  return HasScale(scale, scaled.inverse_scale, 0.0F, spec) && is_finite
             ? absl::StatusOr<ScaledRange<float>>(scaled)
             : NoScale(min, max, spec, channel);
}

absl::StatusOr<ScaledRange<float>> DequantizeScaled(float min, float max, const ResolvedSpec& spec,
                                                    std::size_t channel) {
  const float scale = ScaleOfValues(min, max, spec);
  // A narrow range leaves out a code, which has a value nevertheless.
  const auto lowest_of_type = static_cast<float>(-spec.code_offset);
  if (!std::isfinite(lowest_of_type * scale)) {
    return NoScale(min, max, spec, channel);
  }
  return CheckedScale(min, max, spec, channel,
                      {.min = min,
                       .max = max,
                       .scale = scale,
                       .inverse_scale = 1 / scale,
                       .lowest_step = LowestCode<float>(spec),
                       .zero_point = spec.code_offset});
}

absl::StatusOr<ScaledRange<float>> ScaleForValues(float min, float max, const ResolvedSpec& spec,
                                                  std::size_t channel) {
  switch (spec.range().rule) {
    case RangeRule::kMinCombined:
      return ScaleMinCombined(min, max, spec, channel);
    case RangeRule::kMinFirst:
      return DequantizeMinFirst(min, max, spec, channel);
    default:
      return DequantizeScaled(min, max, spec, channel);
  }
}

}  // namespace

template <typename T>
absl::StatusOr<ScaledRange<T>> ScaleQuantizeAndDequantize(float min, float max,
                                                          const ResolvedSpec& spec,
                                                          std::size_t channel) {
  RETURN_IF_ERROR(CheckBounds(min, max, spec.range(), channel));
  const auto lowest = LowestCode<T>(spec);
  const auto highest = HighestCode<T>(spec);
  const T steps_to_min = StepsToEnd(lowest, T{min});
  const T steps_to_max = StepsToEnd(highest, T{max});
  ScaledRange<T> scaled = {.lowest_step = lowest, .zero_point = spec.code_offset};
  if (steps_to_min < steps_to_max) {
    scaled.inverse_scale = steps_to_min;
    scaled.scale = T{min} / lowest;
    scaled.min = T{min};
    scaled.max = highest * scaled.scale;
  } else {
    scaled.inverse_scale = steps_to_max;
    scaled.scale = T{max} / highest;
    scaled.min = lowest * scaled.scale;
    scaled.max = T{max};
  }
  scaled.is_zero = steps_to_min == steps_to_max && steps_to_max == std::numeric_limits<T>::max();
  if (!scaled.is_zero && (!HasScale(scaled.scale, scaled.inverse_scale, lowest, spec) ||
                          !std::isfinite(scaled.min) || !std::isfinite(scaled.max))) {
    return NoScale(min, max, spec, channel);
  }
  return scaled;
}

template absl::StatusOr<ScaledRange<float>> ScaleQuantizeAndDequantize(float, float,
                                                                       const ResolvedSpec&,
                                                                       std::size_t);
template absl::StatusOr<ScaledRange<double>> ScaleQuantizeAndDequantize(float, float,
                                                                        const ResolvedSpec&,
                                                                        std::size_t);

absl::StatusOr<ScaledRange<float>> ScaleQuantizeV2(OperationKind operation, float min, float max,
                                                   const ResolvedSpec& spec, std::size_t channel) {
  RETURN_IF_ERROR(CheckBounds(min, max, spec.range(), channel));
  return operation == OperationKind::kQuantize ? ScaleForCodes(min, max, spec, channel)
                                               : ScaleForValues(min, max, spec, channel);
}

}  // namespace quantd::core
