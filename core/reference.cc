#include "core/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <variant>

#include "core/base/error.h"
#include "core/base/float16.h"
#include "core/base/status_macros.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/quantizer.h"
#include "core/resolved_spec.h"

namespace quantd::core::reference {
namespace {

// Returns what producers that flush subnormals take `value` for: a zero of its sign.
template <typename T>
T Flushed(T value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(T{0}, value) : value;
}

// Converts as x86's CVTTSS2SI does.
std::int32_t ToInt32(float value) {
  return std::abs(value) < 0x1p31F ? static_cast<std::int32_t>(value)
                                   : std::numeric_limits<std::int32_t>::min();
}

// Converts as x86's CVTTSS2SI and CVTTSD2SI do with 64 bits.
template <typename T>
std::int64_t ToInt64(T value) {
  return std::abs(value) < T{0x1p63} ? static_cast<std::int64_t>(value)
                                     : std::numeric_limits<std::int64_t>::min();
}

std::int32_t WrappedSum(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

// The quantization of one channel by range.
class RangeChannel {
 public:
  // `channels` is the number of all of them.
  RangeChannel(float min, float max, const ResolvedSpec& spec, const RangeArithmetic& arithmetic,
               StepFormula step, std::size_t channels, bool for_gradient)
      : arithmetic_(arithmetic),
        step_(step),
        quant_min_(static_cast<float>(spec.codes.min)),
        code_offset_(spec.code_offset),
        all_zero_(min == 0 && max == 0) {
    const auto quant_max = static_cast<float>(spec.codes.max);
    const float levels = quant_max - quant_min_;
    scale_ = Scale(min, max, levels, channels);
    inverse_scale_ =
        arithmetic.inverse == InverseRule::kFromScale ? 1 / scale_ : levels / (max - min);
    const float from_min = quant_min_ - min / scale_;
    const ZeroPointRule rule =
        for_gradient ? arithmetic.gradient_zero_point : arithmetic.zero_point;
    const float nearest =
        rule == ZeroPointRule::kHalfToEven ? std::nearbyint(from_min) : std::round(from_min);
    zero_point_ = from_min < quant_min_   ? quant_min_
                  : from_min > quant_max ? quant_max
                                         : nearest;
    nudged_min_ = (quant_min_ - zero_point_) * scale_;
    nudged_max_ = (quant_max - zero_point_) * scale_;
    quant_zero_ = step == StepFormula::kMultiplyFused
                      ? std::floor(std::fma(-nudged_min_, inverse_scale_, 0.5F))
                      : std::floor(-nudged_min_ * inverse_scale_ + 0.5F);
  }

  float FakeQuantize(float x) const {
    if (all_zero_) {
      return 0;
    }
    if (std::isnan(x) && arithmetic_.nan == NanRule::kKept) {
      return x;
    }
    return Value(Steps(x));
  }

  std::int32_t Quantize(float x) const {
    return static_cast<std::int32_t>(all_zero_ ? quant_min_ : Steps(x) + Origin()) - code_offset_;
  }

  float Dequantize(std::int32_t code) const {
    return all_zero_ ? 0 : Value(static_cast<float>(code + code_offset_) - Origin());
  }

  bool all_zero() const { return all_zero_; }
  bool IsInside(float x) const { return nudged_min_ <= x && x <= nudged_max_; }
  bool IsBelow(float x) const {
    return arithmetic_.gradient == GradientMask::kSelectionWithEnds ? x <= nudged_min_
                                                                    : x < nudged_min_;
  }
  bool IsAbove(float x) const {
    return arithmetic_.gradient == GradientMask::kSelectionWithEnds ? x >= nudged_max_
                                                                    : x > nudged_max_;
  }

 private:
  float Scale(float min, float max, float levels, std::size_t channels) const {
    switch (arithmetic_.scale) {
      case ScaleRule::kMultiplyByInverseForSeveral:
        if (channels == 1) {
          break;
        }
        [[fallthrough]];
      case ScaleRule::kMultiplyByInverse:
        return (max - min) * (1 / levels);
      case ScaleRule::kDivide:
        break;
    }
    return (max - min) / levels;
  }

  // The code that steps are counted from.
  float Origin() const {
    return arithmetic_.value == ValueFormula::kFromZero ? zero_point_ : quant_min_;
  }

  // NaN counts as the lower end.
  float Steps(float x) const {
    const float clamped =
        std::isnan(x) ? nudged_min_ : std::max(std::min(x, nudged_max_), nudged_min_);
    const float shifted = clamped - nudged_min_;
    switch (step_) {
      case StepFormula::kDivide:
        return std::floor(shifted / scale_ - quant_zero_ + 0.5F);
      case StepFormula::kMultiply:
        return std::floor(shifted * inverse_scale_ - quant_zero_ + 0.5F);
      case StepFormula::kMultiplyFused:
        return std::floor(std::fma(shifted, inverse_scale_, -quant_zero_) + 0.5F);
      case StepFormula::kFromLowest:
        return std::floor(shifted * inverse_scale_ + 0.5F);
      case StepFormula::kFromLowestFused:
        return std::floor(std::fma(shifted, inverse_scale_, 0.5F));
      case StepFormula::kFromLowestHalfAway:
        return std::round(shifted * inverse_scale_);
      default:
        return std::numeric_limits<float>::quiet_NaN();
    }
  }

  float Value(float steps) const {
    switch (arithmetic_.value) {
      case ValueFormula::kFromZero:
        return steps * scale_;
      case ValueFormula::kFromLowest:
        return steps * scale_ + nudged_min_;
      case ValueFormula::kFromLowestFused:
        return std::fma(steps, scale_, nudged_min_);
    }
    return steps;
  }

  const RangeArithmetic& arithmetic_;
  StepFormula step_;
  float quant_min_;
  std::int32_t code_offset_;
  bool all_zero_;
  float scale_;
  float inverse_scale_;
  float zero_point_;
  float nudged_min_;
  float nudged_max_;
  float quant_zero_;
};

// The quantization of one channel or block by scale and zero point.
class AffineChannel {
 public:
  AffineChannel(float scale, std::int32_t zero_point, const ResolvedSpec& spec, StepFormula step)
      : step_(step),
        codes_(spec.codes),
        scale_(scale),
        inverse_scale_(1 / scale),
        zero_point_(zero_point),
        lowest_(static_cast<float>(std::int64_t{codes_.min} - zero_point)),
        highest_(static_cast<float>(std::int64_t{codes_.max} - zero_point)) {}

  std::int32_t Quantize(float x) const {
    switch (step_) {
      case StepFormula::kDivideHalfEven:
        return zero_point_ + HalfEvenNanLowest(x / scale_);
      case StepFormula::kDivideHalfEvenFloat16:
        return zero_point_ + HalfEvenNanLowest(ToFloat(FromFloat<Float16>(x / scale_)));
      case StepFormula::kMultiplyHalfEven:
        return Saturated(UnsaturatedCode(x));
      case StepFormula::kDivideHalfAway:
        return Saturated(WrappedSum(ToInt32(std::round(x / scale_)), zero_point_));
      case StepFormula::kMultiplyHalfEvenNanHighest: {
        const float t = x * inverse_scale_;
        const float below = t < highest_ ? t : highest_;
        return zero_point_ + static_cast<std::int32_t>(std::nearbyint(std::max(below, lowest_)));
      }
      case StepFormula::kMultiplyHalfUp:
        return Saturated(std::int64_t{ToInt32(std::floor(x * inverse_scale_ + 0.5F))} +
                         zero_point_);
      default:
        return 0;
    }
  }

  float Dequantize(std::int32_t code) const {
    switch (step_) {
      case StepFormula::kMultiplyHalfUp:
        return static_cast<float>(
                   WrappedSum(ToInt32(static_cast<float>(code)), -zero_point_)) *
               scale_;
      default:
        return static_cast<float>(std::int64_t{code} - zero_point_) * scale_;
    }
  }

  float FakeQuantize(float x) const { return Dequantize(Quantize(x)); }

  // The only numerics of doubles is kMultiplyHalfEven.
  double FakeQuantize(double x) const {
    return static_cast<double>(Saturated(UnsaturatedCode(x)) - zero_point_) *
           static_cast<double>(scale_);
  }

  template <typename T>
  bool IsInside(T x) const {
    const std::int64_t code = UnsaturatedCode(x);
    return codes_.min <= code && code <= codes_.max;
  }

 private:
  template <typename T>
  std::int64_t UnsaturatedCode(T x) const {
    return ToInt64(static_cast<T>(zero_point_) + std::nearbyint(x * T{inverse_scale_}));
  }

  std::int32_t Saturated(std::int64_t code) const {
    return static_cast<std::int32_t>(
        std::clamp<std::int64_t>(code, codes_.min, codes_.max));
  }

  std::int32_t HalfEvenNanLowest(float t) const {
    const float above = t > lowest_ ? t : lowest_;
    return static_cast<std::int32_t>(std::nearbyint(above < highest_ ? above : highest_));
  }

  StepFormula step_;
  CodeRange codes_;
  float scale_;
  float inverse_scale_;
  std::int32_t zero_point_;
  float lowest_;
  float highest_;
};

std::vector<RangeChannel> MakeChannels(const Range& range, const ResolvedSpec& spec,
                                       bool for_gradient) {
  const RangeArithmetic& arithmetic = *RowOf(spec.numerics).range;
  const StepFormula step =
      range.axis.has_value() ? *arithmetic.per_channel : arithmetic.per_tensor;
  std::vector<RangeChannel> channels;
  for (std::size_t i = 0; i < range.min.size(); ++i) {
    channels.emplace_back(range.min[i], range.max[i], spec, arithmetic, step, range.min.size(),
                          for_gradient);
  }
  return channels;
}

std::vector<AffineChannel> MakeChannels(const AffineParameters& affine, const ResolvedSpec& spec,
                                        bool /*for_gradient*/) {
  std::vector<AffineChannel> channels;
  for (std::size_t i = 0; i < affine.scale.size(); ++i) {
    channels.emplace_back(affine.scale[i], affine.zero_point.empty() ? 0 : affine.zero_point[i],
                          spec, spec.affine_step);
  }
  return channels;
}

// Calls function(i, channel of element i) for every element in order.
template <typename Function>
void ForEachElement(const ParameterLayout& layout, const QuantizationParameters& parameters,
                    const ResolvedSpec& spec, bool for_gradient, Function function) {
  std::visit(
      [&](const auto& given) {
        const auto channels = MakeChannels(given, spec, for_gradient);
        for (std::size_t i = 0; i < layout.element_count(); ++i) {
          function(i, channels[layout.ParameterOf(i)]);
        }
      },
      parameters);
}

template <typename T>
absl::StatusOr<std::vector<T>> FakeQuantizeAll(std::span<const std::int64_t> shape,
                                               std::span<const T> input,
                                               const QuantizationParameters& parameters,
                                               const QuantizationSpec& spec) {
  ASSIGN_OR_RETURN(const auto quantization,
                   FakeQuantization::Create(parameters, spec, kElementTypeOf<T>));
  RETURN_IF_ERROR(quantization.CheckShape(shape));
  ASSIGN_OR_RETURN(const ParameterLayout layout, MakeParameterLayout(shape, parameters));
  RETURN_IF_ERROR(CheckSize("input", input.size(), layout.element_count()));
  ASSIGN_OR_RETURN(const ResolvedSpec resolved, Resolve(parameters, spec, kDefaultCodes));
  std::vector<T> output(input.size());
  ForEachElement(layout, parameters, resolved, false,
                 [&](std::size_t i, const auto& channel) { output[i] = channel.FakeQuantize(input[i]); });
  return output;
}

}  // namespace
}  // namespace quantd::core::reference
