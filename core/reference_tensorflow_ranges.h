// One channel of TensorFlow's older quantizing ops, for the reference: as
// docs/numerics.md writes their formulas, value by value.

#ifndef QUANTD_CORE_REFERENCE_TENSORFLOW_RANGES_H_
#define QUANTD_CORE_REFERENCE_TENSORFLOW_RANGES_H_

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

#include "core/resolved_spec.h"

namespace quantd::core::reference {

// Returns what producers that flush subnormals take `value` for: a zero of its sign.
template <std::floating_point T>
T Flushed(T value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(T{0}, value) : value;
}

class TensorFlowRangeChannel {
 public:
  TensorFlowRangeChannel(float min, float max, const ResolvedSpec& spec)
      : rule_(spec.range().rule),
        step_(spec.step),
        lowest_(spec.codes.min - spec.code_offset),
        highest_(spec.codes.max - spec.code_offset),
        half_(static_cast<float>(spec.code_offset)),
        levels_(static_cast<float>(spec.codes.levels())),
        min_(min),
        max_(max) {}

  // QuantizeAndDequantizeV4, in the arithmetic of T.
  template <std::floating_point T>
  T FakeQuantize(T x) const {
    const auto lowest = static_cast<T>(lowest_);
    const auto highest = static_cast<T>(highest_);
    const T to_min = StepsToEnd(lowest, T{min_});
    const T to_max = StepsToEnd(highest, T{max_});
    const bool by_min = to_min < to_max;
    const T steps = by_min ? to_min : to_max;
    const T scale = by_min ? T{min_} / lowest : T{max_} / highest;
    const T lower = by_min ? T{min_} : lowest * scale;
    const T upper = by_min ? highest * scale : T{max_};
    return Rounded(Clamped(Flushed(x), lower, upper) * steps) * scale;
  }

  // The gradient passes within the range as it was given.
  template <std::floating_point T>
  bool IsInside(T x) const {
    return min_ <= Flushed(x) && Flushed(x) <= max_;
  }

  // QuantizeV2.
  std::int32_t Quantize(float x) const {
    const float margin = std::max({1.0F, std::abs(min_), std::abs(max_)}) * 0.01F;
    const float min = std::min(0.0F, min_);
    const float max = std::max(0.0F, std::max(max_, min + margin));
    const auto steps = static_cast<float>(double{levels_} / double{max - min});
    switch (rule_) {
      case RangeRule::kMinCombined: {
        const float from_min = (Clamped(x, min, max) - min) * steps;
        return ToCode(half_ == 0 ? std::trunc(from_min + 0.5F) : std::round(from_min - half_));
      }
      case RangeRule::kMinFirst: {
        const float origin = std::round(min * steps) + half_;
        return ToCode(Clamped(std::round(x * steps) - origin, -half_, levels_ - half_));
      }
      default:
        return ToCode(QuantizeScaled(x, min, max));
    }
  }

  // Dequantize.
  float Dequantize(std::int32_t code) const {
    const auto q = static_cast<float>(code);
    switch (rule_) {
      case RangeRule::kMinCombined:
        return Flushed((q + half_) * ((max_ - min_) / levels_) + min_);
      case RangeRule::kMinFirst: {
        const auto scale = static_cast<float>(double{max_ - min_} / double{levels_});
        const float value_of_zero = Flushed(std::round(min_ / scale) * scale + half_ * scale);
        return Flushed(value_of_zero + q * scale);
      }
      default:
        return q * (half_ == 0 ? max_ / static_cast<float>(highest_)
                               : std::max(min_ / static_cast<float>(lowest_),
                                          max_ / static_cast<float>(highest_)));
    }
  }

 private:
  template <std::floating_point T>
  static T StepsToEnd(T code, T end) {
    return code * end > 0 ? code / end : std::numeric_limits<T>::max();
  }

  template <std::floating_point T>
  static T Clamped(T x, T lower, T upper) {
    const T below = x > upper ? upper : x;
    return below < lower ? lower : below;
  }

  template <std::floating_point T>
  T Rounded(T x) const {
    switch (step_) {
      case StepFormula::kClampedHalfEven:
        return std::nearbyint(x);
      case StepFormula::kClampedHalfUp:
        return std::floor(x + T{0.5});
      default:
        return std::round(x);
    }
  }

  float QuantizeScaled(float x, float min, float max) const {
    const auto lowest = static_cast<float>(lowest_);
    const auto highest = static_cast<float>(highest_);
    const float steps = std::min(StepsToEnd(lowest, min), StepsToEnd(highest, max));
    return Rounded(Clamped(x, lowest / steps, highest / steps) * steps);
  }

  // NaN has no code, which is reported afterwards.
  static std::int32_t ToCode(float code) {
    return std::isnan(code) ? 0 : static_cast<std::int32_t>(code);
  }

  RangeRule rule_;
  StepFormula step_;
  // The codes as the op counts them.
  std::int32_t lowest_;
  std::int32_t highest_;
  // What is added to a code to count from 0.
  float half_;
  float levels_;
  float min_;
  float max_;
};

}  // namespace quantd::core::reference

#endif  // QUANTD_CORE_REFERENCE_TENSORFLOW_RANGES_H_
