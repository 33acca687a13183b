#include "core/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/tensor_shape.h"

namespace quantd::core::reference {
namespace {

float RoundZeroPoint(float from_min, ZeroPointRule rule) {
  switch (rule) {
    case ZeroPointRule::kHalfAwayFromZero:
      return std::round(from_min);
  }
  return from_min;
}

// The parameters of one channel, computed as docs/design.md writes them.
struct Parameters {
  Parameters(float min, float max, const QuantizationSpec& spec) : all_zero(min == 0 && max == 0) {
    const float quant_min = spec.narrow_range ? 1 : 0;
    const auto quant_max = static_cast<float>((1U << spec.num_bits) - 1);
    const float levels = quant_max - quant_min;
    scale = (max - min) / levels;
    inv_scale = levels / (max - min);
    const float from_min = quant_min - min / scale;
    const float nearest = RoundZeroPoint(from_min, RowOf(spec.numerics).zero_point);
    const float zero_point = from_min < quant_min   ? quant_min
                             : from_min > quant_max ? quant_max
                                                    : nearest;
    nudged_min = (quant_min - zero_point) * scale;
    nudged_max = (quant_max - zero_point) * scale;
    quant_zero = std::floor(-nudged_min * inv_scale + 0.5F);
  }

  bool all_zero;
  float scale;
  float inv_scale;
  float nudged_min;
  float nudged_max;
  float quant_zero;
};

float Divide(float shifted, const Parameters& channel, Quotient quotient) {
  switch (quotient) {
    case Quotient::kDivideByScale:
      return shifted / channel.scale;
    case Quotient::kMultiplyByInverseScale:
      return shifted * channel.inv_scale;
  }
  return shifted;
}

float RoundToStep(float steps, TieRule ties) {
  switch (ties) {
    case TieRule::kHalfUp:
      return std::floor(steps + 0.5F);
  }
  return steps;
}

// Returns what TensorFlow takes `value` for: a zero of its sign if it is subnormal.
float Flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0F, value) : value;
}

float MaskGradient(float gradient, bool inside, GradientMask mask) {
  switch (mask) {
    case GradientMask::kProduct:
      return gradient * (inside ? 1.0F : 0.0F);
  }
  return gradient;
}

float FakeQuantizeElement(float x, const Parameters& channel, Quotient quotient, TieRule ties) {
  if (channel.all_zero) {
    return 0;
  }
  if (std::isnan(x)) {
    return x;
  }
  const float shifted =
      std::max(std::min(x, channel.nudged_max), channel.nudged_min) - channel.nudged_min;
  const float q = Divide(shifted, channel, quotient);
  return RoundToStep(q - channel.quant_zero, ties) * channel.scale;
}

std::vector<Parameters> MakeParameters(const Range& range, const QuantizationSpec& spec) {
  std::vector<Parameters> parameters;
  for (std::size_t channel = 0; channel < range.min.size(); ++channel) {
    parameters.emplace_back(range.min[channel], range.max[channel], spec);
  }
  return parameters;
}

// Refuses what FakeQuantization refuses, and returns how the channels lie.
absl::StatusOr<ChannelLayout> Check(std::span<const std::int64_t> shape, const Range& range,
                                    const QuantizationSpec& spec) {
  ASSIGN_OR_RETURN(const FakeQuantization quantization, FakeQuantization::Create(range, spec));
  RETURN_IF_ERROR(quantization.CheckShape(shape));
  return MakeChannelLayout(shape, range.axis);
}

std::size_t ChannelOf(std::size_t element, const ChannelLayout& layout) {
  return element / layout.inner % layout.channels;
}

}  // namespace

absl::StatusOr<std::vector<float>> FakeQuantize(std::span<const std::int64_t> shape,
                                                std::span<const float> input, const Range& range,
                                                const QuantizationSpec& spec) {
  ASSIGN_OR_RETURN(const ChannelLayout layout, Check(shape, range, spec));
  RETURN_IF_ERROR(CheckSize("input", input.size(), layout.element_count()));
  const std::vector<Parameters> parameters = MakeParameters(range, spec);
  const NumericsRow& row = RowOf(spec.numerics);
  const Quotient quotient = row.quotient(range);
  std::vector<float> output(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    output[i] = FakeQuantizeElement(input[i], parameters[ChannelOf(i, layout)], quotient, row.ties);
  }
  return output;
}

absl::StatusOr<Gradients> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                               std::span<const float> gradients,
                                               std::span<const float> inputs, const Range& range,
                                               const QuantizationSpec& spec) {
  ASSIGN_OR_RETURN(const ChannelLayout layout, Check(shape, range, spec));
  RETURN_IF_ERROR(CheckSize("gradients", gradients.size(), layout.element_count()));
  RETURN_IF_ERROR(CheckSize("inputs", inputs.size(), layout.element_count()));
  const std::vector<Parameters> parameters = MakeParameters(range, spec);
  const GradientMask mask = RowOf(spec.numerics).mask;
  Gradients result{.input = std::vector<float>(inputs.size()),
                   .min = std::vector<double>(layout.channels),
                   .max = std::vector<double>(layout.channels)};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t channel = ChannelOf(i, layout);
    const auto& [all_zero, scale, inv_scale, nudged_min, nudged_max, quant_zero] =
        parameters[channel];
    if (all_zero) {
      result.input[i] = gradients[i];
      continue;
    }
    const float x = Flushed(inputs[i]);
    const float gradient = Flushed(gradients[i]);
    result.input[i] = MaskGradient(gradient, nudged_min <= x && x <= nudged_max, mask);
    // Products, so that an infinite or NaN gradient makes the sums of the other sides NaN.
    result.min[channel] += gradient * (x < nudged_min ? 1.0F : 0.0F);
    result.max[channel] += gradient * (x > nudged_max ? 1.0F : 0.0F);
  }
  return result;
}

}  // namespace quantd::core::reference
