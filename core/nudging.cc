#include "core/nudging.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/decimal.h"
#include "core/range_check.h"

namespace quantd::core {
namespace {

float NudgedZeroPoint(float from_min, float quant_min, float quant_max, ZeroPointRule rule) {
  if (from_min < quant_min) {
    return quant_min;
  }
  if (from_min > quant_max) {
    return quant_max;
  }
  switch (rule) {
    case ZeroPointRule::kHalfAwayFromZero:
      return std::round(from_min);
    case ZeroPointRule::kHalfToEven:
      return std::nearbyint(from_min);
  }
  return from_min;
}

// Half a step of a smaller scale would be subnormal, which frameworks take for 0.
constexpr float kMinScale = 2 * std::numeric_limits<float>::min();

absl::Status BadWidth(float min, float max, float levels, std::size_t channel) {
  return InvalidRange(
      "max", channel, min, max,
      absl::StrCat("is too narrow or too wide for ", levels + 1,
                   " codes; expected a width whose scale, (max - min) / ", levels, ", is at least ",
                   Decimal(kMinScale),
                   ", whose inverse is a normal float32, and whose nudged ends are less than ",
                   Decimal(std::numeric_limits<float>::max()),
                   " apart: rescale the tensor, or send 0 for both ends of a channel of zeros"));
}

float ScaleOf(float min, float max, float levels, ScaleRule rule, bool several_channels) {
  switch (rule) {
    case ScaleRule::kMultiplyByInverseForSeveral:
      return several_channels ? (max - min) * (1 / levels) : (max - min) / levels;
    case ScaleRule::kMultiplyByInverse:
      return (max - min) * (1 / levels);
    case ScaleRule::kDivide:
      break;
  }
  return (max - min) / levels;
}

struct NudgedChannel {
  float min = 0;
  float max = 0;
  float scale = 0;
  std::int32_t zero_point = 0;
};

// What all channels have in common.
struct NudgingRules {
  CodeRange codes;
  const RangeArithmetic& arithmetic;
  ZeroPointRule zero_point;
  bool several_channels;
  // See RangeArithmetic::simplifies_single_channel.
  bool is_simplified;
};

// Nudges one channel, whose bounds have passed CheckBounds().
absl::StatusOr<NudgedChannel> NudgeChannel(float min, float max, const NudgingRules& rules,
                                           std::size_t channel) {
  if (min == 0 && max == 0) {
    return NudgedChannel{.zero_point = rules.codes.min};
  }
  const auto quant_min = static_cast<float>(rules.codes.min);
  const auto quant_max = static_cast<float>(rules.codes.max);
  const float levels = quant_max - quant_min;
  const float scale = ScaleOf(min, max, levels, rules.arithmetic.scale, rules.several_channels);
  const float steps_to_min = rules.is_simplified ? min * levels / (max - min) : min / scale;
  const float zero_point =
      NudgedZeroPoint(quant_min - steps_to_min, quant_min, quant_max, rules.zero_point);
  const float nudged_min = (quant_min - zero_point) * scale;
  const float nudged_max = (quant_max - zero_point) * scale;
  const float inverse =
      InverseScale(min, max, scale, levels,
                   rules.is_simplified ? InverseRule::kFromRange : rules.arithmetic.inverse);
  if (!(scale >= kMinScale) || !std::isnormal(inverse) || !std::isfinite(nudged_max - nudged_min)) {
    return BadWidth(min, max, levels, channel);
  }
  return NudgedChannel{.min = nudged_min,
                       .max = nudged_max,
                       .scale = scale,
                       .zero_point = static_cast<std::int32_t>(zero_point)};
}

}  // namespace

float InverseScale(float min, float max, float scale, float levels, InverseRule rule) {
  return rule == InverseRule::kFromScale ? 1 / scale : levels / (max - min);
}

absl::StatusOr<NudgedRange> Nudge(const Range& range, const ResolvedSpec& spec,
                                  ZeroPointRule rule) {
  RETURN_IF_ERROR(CheckSizes(range));
  const std::size_t channel_count = range.min.size();
  const NudgingRules rules = {.codes = spec.codes,
                              .arithmetic = spec.range(),
                              .zero_point = rule,
                              .several_channels = channel_count > 1,
                              .is_simplified = IsSimplified(range, spec.range())};
  NudgedRange nudged{.min = PerChannel<float>(channel_count),
                     .max = PerChannel<float>(channel_count),
                     .scale = PerChannel<float>(channel_count),
                     .zero_point = PerChannel<std::int32_t>(channel_count)};
  const std::span nudged_min(nudged.min);
  const std::span nudged_max(nudged.max);
  const std::span scale(nudged.scale);
  const std::span zero_point(nudged.zero_point);
  for (std::size_t channel = 0; channel < channel_count; ++channel) {
    const float min = range.min[channel];
    const float max = range.max[channel];
    RETURN_IF_ERROR(CheckBounds(min, max, rules.arithmetic, channel));
    ASSIGN_OR_RETURN(const NudgedChannel nudged_channel, NudgeChannel(min, max, rules, channel));
    nudged_min[channel] = nudged_channel.min;
    nudged_max[channel] = nudged_channel.max;
    scale[channel] = nudged_channel.scale;
    zero_point[channel] = nudged_channel.zero_point;
  }
  return nudged;
}

}  // namespace quantd::core
