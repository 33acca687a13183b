#include "core/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/fake_quantization.h"
#include "core/tensor_shape.h"

namespace quantd::core::reference {
namespace {

// The parameters of one channel, computed as the contract writes them.
struct Parameters {
  Parameters(float min, float max, const QuantizationSpec& spec) : all_zero(min == 0 && max == 0) {
    const float quant_min = spec.narrow_range ? 1 : 0;
    const auto quant_max = static_cast<float>((1U << spec.num_bits) - 1);
    const float levels = quant_max - quant_min;
    scale = (max - min) / levels;
    inv_scale = levels / (max - min);
    const float from_min = quant_min - min / scale;
    const float zero_point = from_min < quant_min   ? quant_min
                             : from_min > quant_max ? quant_max
                                                    : std::round(from_min);
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

float FakeQuantizeElement(float x, const Parameters& channel, bool divide) {
  if (channel.all_zero) {
    return 0;
  }
  if (std::isnan(x)) {
    return x;
  }
  const float shifted =
      std::max(std::min(x, channel.nudged_max), channel.nudged_min) - channel.nudged_min;
  const float q = divide ? shifted / channel.scale : shifted * channel.inv_scale;
  return std::floor(q - channel.quant_zero + 0.5F) * channel.scale;
}

std::vector<Parameters> MakeParameters(const Range& range, const QuantizationSpec& spec) {
  std::vector<Parameters> parameters;
  for (std::size_t channel = 0; channel < range.min.size(); ++channel) {
    parameters.emplace_back(range.min[channel], range.max[channel], spec);
  }
  return parameters;
}

// Refuses what FakeQuantization refuses, and tells how the channels lie.
absl::StatusOr<ChannelLayout> Check(std::span<const std::int64_t> shape, std::size_t element_count,
                                    const Range& range, const QuantizationSpec& spec) {
  const auto quantization = FakeQuantization::Create(shape, range, spec);
  if (!quantization.ok()) {
    return quantization.status();
  }
  if (element_count != quantization->element_count()) {
    return InvalidArgument(
        absl::StrCat("the tensor has ", element_count, " elements; expected ",
                     quantization->element_count(), " for its shape"),
        {.reason = std::string(reason::kTensorSizeMismatch), .field = "input", .metadata = {}});
  }
  return MakeChannelLayout(shape, range.axis);
}

std::size_t ChannelOf(std::size_t element, const ChannelLayout& layout) {
  return element / layout.inner % layout.channels;
}

}  // namespace

absl::StatusOr<std::vector<float>> FakeQuantize(std::span<const std::int64_t> shape,
                                                std::span<const float> input, const Range& range,
                                                const QuantizationSpec& spec) {
  const absl::StatusOr<ChannelLayout> layout = Check(shape, input.size(), range, spec);
  if (!layout.ok()) {
    return layout.status();
  }
  const std::vector<Parameters> parameters = MakeParameters(range, spec);
  const bool divide = !range.axis.has_value() && spec.numerics == Numerics::kTensorFlow;
  std::vector<float> output(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    output[i] = FakeQuantizeElement(input[i], parameters[ChannelOf(i, *layout)], divide);
  }
  return output;
}

absl::StatusOr<Gradients> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                               std::span<const float> gradients,
                                               std::span<const float> inputs, const Range& range,
                                               const QuantizationSpec& spec) {
  const absl::StatusOr<ChannelLayout> layout =
      Check(shape, std::min(gradients.size(), inputs.size()), range, spec);
  if (!layout.ok()) {
    return layout.status();
  }
  const std::vector<Parameters> parameters = MakeParameters(range, spec);
  Gradients result{.input = std::vector<float>(inputs.size()),
                   .min = std::vector<double>(layout->channels),
                   .max = std::vector<double>(layout->channels)};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t channel = ChannelOf(i, *layout);
    const auto& [all_zero, scale, inv_scale, nudged_min, nudged_max, quant_zero] =
        parameters[channel];
    const float x = inputs[i];
    const bool inside = all_zero || (nudged_min <= x && x <= nudged_max);
    result.input[i] = gradients[i] * (inside ? 1.0F : 0.0F);
    if (!all_zero && x < nudged_min) {
      result.min[channel] += gradients[i];
    }
    if (!all_zero && x > nudged_max) {
      result.max[channel] += gradients[i];
    }
  }
  return result;
}

}  // namespace quantd::core::reference
