#include "core/reference.h"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <variant>

#include "core/base/error.h"
#include "core/base/float16.h"
#include "core/base/status_macros.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/quantizer.h"
#include "core/reference_tensorflow_ranges.h"
#include "core/resolved_spec.h"

namespace quantd::core::reference {
namespace {

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
  RangeChannel(float min, float max, const ResolvedSpec& spec, std::size_t channels, bool has_axis,
               bool for_gradient)
      : arithmetic_(spec.range()),
        step_(spec.step),
        quant_min_(static_cast<float>(spec.codes.min)),
        code_offset_(spec.code_offset),
        all_zero_(min == 0 && max == 0) {
    const auto quant_max = static_cast<float>(spec.codes.max);
    const float levels = quant_max - quant_min_;
    scale_ = Scale(min, max, levels, channels);
    const bool is_simplified = arithmetic_.simplifies_single_channel && has_axis && channels == 1;
    inverse_scale_ = arithmetic_.inverse == InverseRule::kFromScale && !is_simplified
                         ? 1 / scale_
                         : levels / (max - min);
    const float from_min = quant_min_ - (is_simplified ? min * levels / (max - min) : min / scale_);
    const ZeroPointRule rule =
        for_gradient ? arithmetic_.gradient_zero_point : arithmetic_.zero_point;
    const float nearest =
        rule == ZeroPointRule::kHalfToEven ? std::nearbyint(from_min) : std::round(from_min);
    zero_point_ = from_min < quant_min_ ? quant_min_ : from_min > quant_max ? quant_max : nearest;
    nudged_min_ = (quant_min_ - zero_point_) * scale_;
    nudged_max_ = (quant_max - zero_point_) * scale_;
    quant_zero_ = step_ == StepFormula::kMultiplyFused
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
    return ValueOf(step_) == ValueFormula::kFromZero ? zero_point_ : quant_min_;
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
    switch (ValueOf(step_)) {
      case ValueFormula::kFromZero:
        return steps * scale_;
      case ValueFormula::kFromLowest:
        return FlushedResult(steps * scale_ + nudged_min_);
      case ValueFormula::kFromLowestFused:
        return FlushedResult(std::fma(steps, scale_, nudged_min_));
      case ValueFormula::kFromLowerEnd:
        break;
    }
    return std::numeric_limits<float>::quiet_NaN();
  }

  float FlushedResult(float value) const {
    return arithmetic_.flushes_subnormals ? Flushed(value) : value;
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
  AffineChannel(float scale, std::int32_t zero_point, const ResolvedSpec& spec, bool has_axis)
      : step_(spec.step),
        difference_(spec.affine().difference(has_axis)),
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
      case StepFormula::kDivideHalfEvenBFloat16:
        return zero_point_ + HalfEvenNanLowest(ToFloat(FromFloat<BFloat16>(x / scale_)));
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
        return Saturated(WrappedSum(ToInt32(std::floor(x * inverse_scale_ + 0.5F)), zero_point_));
      default:
        return 0;
    }
  }

  // Only codes of 32 bits notice in which arithmetic the difference is taken.
  float Dequantize(std::int32_t code) const {
    switch (difference_) {
      case Int32Difference::kWrapped:
        return static_cast<float>(WrappedSum(code, -zero_point_)) * scale_;
      case Int32Difference::kOfRounded:
        return static_cast<float>(WrappedSum(ToInt32(static_cast<float>(code)), -zero_point_)) *
               scale_;
      case Int32Difference::kOfFloats:
        return (static_cast<float>(code) - static_cast<float>(zero_point_)) * scale_;
    }
    return 0;
  }

  float FakeQuantize(float x) const { return Dequantize(Quantize(x)); }

  // The only numerics of doubles is kMultiplyHalfEven, which then saturates what does not
  // fit into 64 bits.
  double FakeQuantize(double x) const {
    const double code = zero_point_ + std::nearbyint(x * double{inverse_scale_});
    const double saturated =
        std::isnan(code) ? codes_.min : std::clamp<double>(code, codes_.min, codes_.max);
    return (saturated - zero_point_) * double{scale_};
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
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(code, codes_.min, codes_.max));
  }

  std::int32_t HalfEvenNanLowest(float t) const {
    const float above = t > lowest_ ? t : lowest_;
    return static_cast<std::int32_t>(std::nearbyint(above < highest_ ? above : highest_));
  }

  StepFormula step_;
  Int32Difference difference_;
  CodeRange codes_;
  float scale_;
  float inverse_scale_;
  std::int32_t zero_point_;
  float lowest_;
  float highest_;
};

std::vector<RangeChannel> MakeChannels(const Range& range, const ResolvedSpec& spec,
                                       bool for_gradient) {
  std::vector<RangeChannel> channels;
  for (std::size_t i = 0; i < range.min.size(); ++i) {
    channels.emplace_back(range.min[i], range.max[i], spec, range.min.size(),
                          range.axis.has_value(), for_gradient);
  }
  return channels;
}

std::vector<AffineChannel> MakeChannels(const AffineParameters& affine, const ResolvedSpec& spec,
                                        bool /*for_gradient*/) {
  std::vector<AffineChannel> channels;
  for (std::size_t i = 0; i < affine.scale.size(); ++i) {
    channels.emplace_back(affine.scale[i], affine.zero_point.empty() ? 0 : affine.zero_point[i],
                          spec, affine.axis.has_value());
  }
  return channels;
}

std::vector<TensorFlowRangeChannel> MakeUnnudgedChannels(const Range& range,
                                                         const ResolvedSpec& spec) {
  std::vector<TensorFlowRangeChannel> channels;
  for (std::size_t i = 0; i < range.min.size(); ++i) {
    channels.emplace_back(range.min[i], range.max[i], spec);
  }
  return channels;
}

// Calls function(channels) with those of the parameters, whichever kind they are.
template <typename Function>
void WithChannels(const QuantizationParameters& parameters, const ResolvedSpec& spec,
                  Function function) {
  const auto* range = std::get_if<Range>(&parameters);
  if (range == nullptr) {
    function(MakeChannels(std::get<AffineParameters>(parameters), spec, false));
  } else if (spec.range().rule == RangeRule::kNudged) {
    function(MakeChannels(*range, spec, false));
  } else {
    function(MakeUnnudgedChannels(*range, spec));
  }
}

// What an operation computes with.
struct Problem {
  ParameterLayout layout;
  ResolvedSpec spec;
};

// Refuses what `operation`, a FakeQuantization, Quantizer or Dequantizer, refuses.
template <typename Operation>
absl::StatusOr<Problem> Check(const absl::StatusOr<Operation>& operation, OperationKind kind,
                              std::span<const std::int64_t> shape,
                              const QuantizationParameters& parameters,
                              const QuantizationSpec& spec, const ConversionTypes& types) {
  RETURN_IF_ERROR(operation.status());
  RETURN_IF_ERROR(operation->CheckShape(shape));
  ASSIGN_OR_RETURN(const ParameterLayout layout, MakeParameterLayout(shape, parameters));
  ASSIGN_OR_RETURN(const ResolvedSpec resolved, Resolve(kind, parameters, spec, types));
  return Problem{.layout = layout, .spec = resolved};
}

// Calls function(i, channel of element i) for every element in order.
template <typename Channel, typename Function>
void ForEachElement(const ParameterLayout& layout, const std::vector<Channel>& channels,
                    Function function) {
  for (std::size_t i = 0; i < layout.element_count(); ++i) {
    function(i, channels[layout.ParameterOf(i)]);
  }
}

template <typename T>
absl::StatusOr<std::vector<T>> FakeQuantizeAll(std::span<const std::int64_t> shape,
                                               std::span<const T> input,
                                               const QuantizationParameters& parameters,
                                               const QuantizationSpec& spec, ElementType type) {
  ASSIGN_OR_RETURN(const Problem problem,
                   Check(FakeQuantization::Create(parameters, spec, type),
                         OperationKind::kFakeQuantize, shape, parameters, spec, {type, type}));
  RETURN_IF_ERROR(CheckSize("input", input.size(), problem.layout.element_count()));
  std::vector<T> output(input.size());
  const auto fake_quantize = [&](std::size_t i, const auto& channel) {
    // No range that is nudged has doubles.
    if constexpr (std::same_as<T, float> || !std::same_as<decltype(channel), const RangeChannel&>) {
      output[i] = channel.FakeQuantize(input[i]);
    }
  };
  WithChannels(parameters, problem.spec, [&](const auto& channels) {
    ForEachElement(problem.layout, channels, fake_quantize);
  });
  return output;
}

void DifferentiateElement(const RangeChannel& channel, GradientMask mask, float gradient,
                          float input, float& input_gradient, double& min, double& max) {
  if (channel.all_zero()) {
    input_gradient = gradient;
    return;
  }
  const float x = Flushed(input);
  if (mask == GradientMask::kProduct) {
    // Products, so that an infinite or NaN gradient makes the sums of the other sides NaN.
    const float flushed = Flushed(gradient);
    input_gradient = flushed * (channel.IsInside(x) ? 1.0F : 0.0F);
    min += flushed * (channel.IsBelow(x) ? 1.0F : 0.0F);
    max += flushed * (channel.IsAbove(x) ? 1.0F : 0.0F);
    return;
  }
  input_gradient = channel.IsInside(x) ? gradient : 0.0F;
  min += channel.IsBelow(x) ? Flushed(gradient) : 0.0F;
  max += channel.IsAbove(x) ? Flushed(gradient) : 0.0F;
}

Gradients<float> DifferentiateRange(const Problem& problem, const Range& range,
                                    std::span<const float> gradients,
                                    std::span<const float> inputs) {
  const RangeArithmetic& arithmetic = problem.spec.range();
  const std::size_t channels = problem.layout.parameter_count();
  Gradients<float> result{.input = std::vector<float>(inputs.size()),
                          .min = std::vector<double>(channels),
                          .max = std::vector<double>(channels)};
  ForEachElement(problem.layout, MakeChannels(range, problem.spec, true),
                 [&](std::size_t i, const RangeChannel& channel) {
                   const std::size_t sum = problem.layout.ParameterOf(i);
                   DifferentiateElement(channel, *arithmetic.gradient, gradients[i], inputs[i],
                                        result.input[i], result.min[sum], result.max[sum]);
                 });
  if (!arithmetic.has_range_gradients) {
    result.min.clear();
    result.max.clear();
  }
  return result;
}

// The gradients of the range are 0.
template <typename T>
Gradients<T> DifferentiateUnnudged(const Problem& problem, const Range& range,
                                   std::span<const T> gradients, std::span<const T> inputs) {
  const std::size_t count = problem.layout.parameter_count();
  Gradients<T> result{.input = std::vector<T>(inputs.size()),
                      .min = std::vector<double>(count),
                      .max = std::vector<double>(count)};
  ForEachElement(problem.layout, MakeUnnudgedChannels(range, problem.spec),
                 [&](std::size_t i, const TensorFlowRangeChannel& channel) {
                   result.input[i] =
                       Flushed(gradients[i]) * (channel.IsInside(inputs[i]) ? T{1} : T{0});
                 });
  return result;
}

template <typename T>
Gradients<T> DifferentiateAffine(const Problem& problem, const AffineParameters& affine,
                                 std::span<const T> gradients, std::span<const T> inputs) {
  Gradients<T> result{.input = std::vector<T>(inputs.size()), .min = {}, .max = {}};
  ForEachElement(problem.layout, MakeChannels(affine, problem.spec, true),
                 [&](std::size_t i, const AffineChannel& channel) {
                   result.input[i] = gradients[i] * (channel.IsInside(inputs[i]) ? T{1} : T{0});
                 });
  return result;
}

template <typename T>
absl::StatusOr<Gradients<T>> DifferentiateAll(std::span<const std::int64_t> shape,
                                              std::span<const T> gradients,
                                              std::span<const T> inputs,
                                              const QuantizationParameters& parameters,
                                              const QuantizationSpec& spec) {
  constexpr ElementType kType = kElementTypeOf<T>;
  ASSIGN_OR_RETURN(
      const Problem problem,
      Check(FakeQuantization::CreateForGradient(parameters, spec, kType),
            OperationKind::kFakeQuantizeGradient, shape, parameters, spec, {kType, kType}));
  RETURN_IF_ERROR(CheckSize("gradients", gradients.size(), problem.layout.element_count()));
  RETURN_IF_ERROR(CheckSize("inputs", inputs.size(), problem.layout.element_count()));
  if (const auto* range = std::get_if<Range>(&parameters)) {
    if (problem.spec.range().rule == RangeRule::kQuantizeAndDequantize) {
      return DifferentiateUnnudged(problem, *range, gradients, inputs);
    }
    if constexpr (std::same_as<T, float>) {
      return DifferentiateRange(problem, *range, gradients, inputs);
    }
  }
  return DifferentiateAffine(problem, std::get<AffineParameters>(parameters), gradients, inputs);
}

// Whether every input has a code: NaN has none where a range keeps it, except in a
// channel of zeros.
bool HasCode(const RangeChannel& channel, const ResolvedSpec& spec, float x) {
  return !std::isnan(x) || channel.all_zero() || spec.range().nan != NanRule::kKept;
}
bool HasCode(const TensorFlowRangeChannel& /*channel*/, const ResolvedSpec& /*spec*/, float x) {
  return !std::isnan(x);
}
bool HasCode(const AffineChannel& /*channel*/, const ResolvedSpec& /*spec*/, float /*x*/) {
  return true;
}

}  // namespace

absl::StatusOr<std::vector<float>> FakeQuantize(std::span<const std::int64_t> shape,
                                                std::span<const float> input,
                                                const QuantizationParameters& parameters,
                                                const QuantizationSpec& spec,
                                                ElementType input_type) {
  return FakeQuantizeAll(shape, input, parameters, spec, input_type);
}

absl::StatusOr<std::vector<double>> FakeQuantize(std::span<const std::int64_t> shape,
                                                 std::span<const double> input,
                                                 const QuantizationParameters& parameters,
                                                 const QuantizationSpec& spec) {
  return FakeQuantizeAll(shape, input, parameters, spec, ElementType::kFloat64);
}

absl::StatusOr<Gradients<float>> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                                      std::span<const float> gradients,
                                                      std::span<const float> inputs,
                                                      const QuantizationParameters& parameters,
                                                      const QuantizationSpec& spec) {
  return DifferentiateAll(shape, gradients, inputs, parameters, spec);
}

absl::StatusOr<Gradients<double>> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                                       std::span<const double> gradients,
                                                       std::span<const double> inputs,
                                                       const QuantizationParameters& parameters,
                                                       const QuantizationSpec& spec) {
  return DifferentiateAll(shape, gradients, inputs, parameters, spec);
}

absl::StatusOr<std::vector<std::int32_t>> Quantize(std::span<const std::int64_t> shape,
                                                   std::span<const float> input,
                                                   const QuantizationParameters& parameters,
                                                   const QuantizationSpec& spec,
                                                   ElementType code_type, ElementType input_type) {
  const ConversionTypes types = {input_type, code_type};
  ASSIGN_OR_RETURN(const Problem problem,
                   Check(Quantizer::Create(parameters, spec, types), OperationKind::kQuantize,
                         shape, parameters, spec, types));
  RETURN_IF_ERROR(CheckSize("input", input.size(), problem.layout.element_count()));
  std::vector<std::int32_t> codes(input.size());
  std::optional<std::size_t> without_code;
  WithChannels(parameters, problem.spec, [&](const auto& channels) {
    ForEachElement(problem.layout, channels, [&](std::size_t i, const auto& channel) {
      codes[i] = channel.Quantize(input[i]);
      if (!without_code && !HasCode(channel, problem.spec, input[i])) {
        without_code = i;
      }
    });
  });
  if (without_code.has_value()) {
    return NanHasNoCode(problem.spec.numerics, *without_code);
  }
  return codes;
}

absl::StatusOr<std::vector<float>> Dequantize(std::span<const std::int64_t> shape,
                                              std::span<const std::int32_t> codes,
                                              const QuantizationParameters& parameters,
                                              const QuantizationSpec& spec, ElementType code_type) {
  const ConversionTypes types = {code_type, ElementType::kFloat32};
  ASSIGN_OR_RETURN(const Problem problem,
                   Check(Dequantizer::Create(parameters, spec, types), OperationKind::kDequantize,
                         shape, parameters, spec, types));
  RETURN_IF_ERROR(CheckSize("input", codes.size(), problem.layout.element_count()));
  std::vector<float> output(codes.size());
  WithChannels(parameters, problem.spec, [&](const auto& channels) {
    ForEachElement(problem.layout, channels, [&](std::size_t i, const auto& channel) {
      output[i] = channel.Dequantize(codes[i]);
    });
  });
  return output;
}

}  // namespace quantd::core::reference
