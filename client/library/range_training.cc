#include "client/library/range_training.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/library/adam.h"
#include "core/base/status_macros.h"
#include "core/fake_quantization.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

// The last step's length as a share of the first one's.
constexpr double kFinalLearningRate = 0.01;

// The descent of one channel. The optimiser sees the range divided by its
// starting width, so that the learning rate means the same for every channel.
class ChannelDescent {
 public:
  ChannelDescent(float min, float max)
      : width_(static_cast<double>(max) - min),
        min_(min),
        max_(max),
        best_min_(min),
        best_max_(max) {}

  // Returns false if there is nothing to learn.
  bool is_active() const { return width_ > 0; }

  float min() const { return min_; }
  float max() const { return max_; }
  float best_min() const { return best_min_; }
  float best_max() const { return best_max_; }
  double best_squared_error() const { return best_squared_error_; }

  // Records the error of the current range.
  void Observe(double squared_error) {
    if (squared_error < best_squared_error_) {
      best_squared_error_ = squared_error;
      best_min_ = min_;
      best_max_ = max_;
    }
  }

  // Takes a step down the gradients of the loss with respect to min and max,
  // unless it leads to a range that can't be quantized to.
  void Step(double min_gradient, double max_gradient, double learning_rate,
            const core::QuantizationSpec& spec) {
    const double min_step = min_optimizer_.Step(min_gradient / width_, learning_rate) * width_;
    const double max_step = max_optimizer_.Step(max_gradient / width_, learning_rate) * width_;
    const auto min = static_cast<float>(std::min(min_ + min_step, 0.0));
    const auto max = static_cast<float>(std::max(max_ + max_step, 0.0));
    const core::Range range{.min = {&min, 1}, .max = {&max, 1}};
    if (min < max && core::FakeQuantization::Create(range, spec).ok()) {
      min_ = min;
      max_ = max;
    }
  }

 private:
  double width_;
  float min_;
  float max_;
  Adam min_optimizer_;
  Adam max_optimizer_;
  float best_min_;
  float best_max_;
  double best_squared_error_ = std::numeric_limits<double>::infinity();
};

// The cost of the current ranges.
struct Measurement {
  core::NudgedRange nudged_range;
  // 2 (y - x) / n, n the elements of the channel; 0 where x is NaN.
  std::vector<float> gradients;
  // One per channel.
  std::vector<double> squared_errors;
};

// The number of steps between the lowest and the highest code.
double LevelCount(const core::QuantizationSpec& spec) {
  return std::ldexp(1.0, static_cast<int>(spec.num_bits.value_or(core::kDefaultNumBits))) - 1 -
         (spec.narrow_range ? 1 : 0);
}

double Sum(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum;
}

// In decibels, as in core::ErrorStatistics.
double SqnrDb(double signal, double noise) { return 10 * std::log10(signal / noise); }

class RangeTrainer {
 public:
  RangeTrainer(const TensorView& input, const core::ChannelLayout& layout, RangeValues start,
               const RangeTrainingOptions& options, const FakeQuantizationPasses& passes)
      : values_(input.elements<float>()),
        layout_(layout),
        options_(options),
        passes_(passes),
        range_(std::move(start)) {
    for (std::size_t channel = 0; channel < range_.min.size(); ++channel) {
      range_.min[channel] = std::min(range_.min[channel], 0.0F);
      range_.max[channel] = std::max(range_.max[channel], 0.0F);
      if (IsTooNarrow(range_.min[channel], range_.max[channel])) {
        // TensorFlow's range of a channel of zeros.
        range_.min[channel] = 0;
        range_.max[channel] = 0;
      }
      channels_.emplace_back(range_.min[channel], range_.max[channel]);
    }
  }

  absl::StatusOr<TrainedRange> Train(
      const std::function<void(const RangeTrainingProgress&)>& on_step) {
    ASSIGN_OR_RETURN(Measurement measurement, Measure());
    const double noise_before = Sum(measurement.squared_errors);
    const int steps = AnyActive() ? options_.steps : 0;
    for (int step = 1; step <= steps; ++step) {
      if (on_step) {
        on_step({.step = step, .steps = steps, .loss = Loss(measurement)});
      }
      RETURN_IF_ERROR(Step(measurement, LearningRate(step)));
      ASSIGN_OR_RETURN(measurement, Measure());
    }
    return Best(noise_before, steps);
  }

 private:
  bool AnyActive() const {
    return std::any_of(channels_.begin(), channels_.end(),
                       [](const ChannelDescent& channel) { return channel.is_active(); });
  }

  std::size_t ChannelOf(std::size_t element) const {
    return element / layout_.inner % layout_.channels;
  }

  // Quantizes to the current ranges, and has every channel record its error.
  absl::StatusOr<Measurement> Measure() {
    ASSIGN_OR_RETURN(FakeQuantizeResult result, passes_.forward(range_.view()));
    const std::span<const float> output = result.output.values<float>();
    assert(output.size() == values_.size());
    Measurement measurement{.nudged_range = std::move(result.nudged_range),
                            .gradients = std::vector<float>(values_.size()),
                            .squared_errors = std::vector<double>(channels_.size())};
    const auto per_element = 2.0 / static_cast<double>(layout_.outer * layout_.inner);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (std::isnan(values_[i])) {
        continue;
      }
      const double error = static_cast<double>(output[i]) - values_[i];
      measurement.gradients[i] = static_cast<float>(error * per_element);
      measurement.squared_errors[ChannelOf(i)] += error * error;
    }
    for (std::size_t channel = 0; channel < channels_.size(); ++channel) {
      channels_[channel].Observe(measurement.squared_errors[channel]);
    }
    return measurement;
  }

  absl::Status Step(const Measurement& measurement, double learning_rate) {
    ASSIGN_OR_RETURN(const RangeGradients clipping,
                     passes_.backward(measurement.gradients, range_.view()));
    const double levels = LevelCount(options_.spec);
    for (std::size_t channel = 0; channel < channels_.size(); ++channel) {
      ChannelDescent& descent = channels_[channel];
      if (!descent.is_active()) {
        continue;
      }
      // d(scale²/12)/dmax, with scale = (max - min) / levels.
      const double rounding = measurement.nudged_range.scale[channel] / (6 * levels);
      descent.Step(clipping.min[channel] - rounding, clipping.max[channel] + rounding,
                   learning_rate, options_.spec);
      range_.min[channel] = descent.min();
      range_.max[channel] = descent.max();
    }
    return absl::OkStatus();
  }

  // Falls geometrically from the first step to the last.
  double LearningRate(int step) const {
    const double share = options_.steps > 1 ? (step - 1.0) / (options_.steps - 1.0) : 0.0;
    return options_.learning_rate * std::pow(kFinalLearningRate, share);
  }

  double Loss(const Measurement& measurement) const {
    return Sum(measurement.squared_errors) / static_cast<double>(values_.size());
  }

  double Signal() const {
    double signal = 0;
    for (const float value : values_) {
      signal += std::isnan(value) ? 0 : static_cast<double>(value) * value;
    }
    return signal;
  }

  TrainedRange Best(double noise_before, int steps) const {
    TrainedRange best{.range = range_, .sqnr_db_before = 0, .sqnr_db_after = 0, .steps = steps};
    double noise_after = 0;
    for (std::size_t channel = 0; channel < channels_.size(); ++channel) {
      best.range.min[channel] = channels_[channel].best_min();
      best.range.max[channel] = channels_[channel].best_max();
      noise_after += channels_[channel].best_squared_error();
    }
    const double signal = Signal();
    best.sqnr_db_before = SqnrDb(signal, noise_before);
    best.sqnr_db_after = SqnrDb(signal, noise_after);
    return best;
  }

  std::span<const float> values_;
  core::ChannelLayout layout_;
  const RangeTrainingOptions& options_;
  const FakeQuantizationPasses& passes_;
  // The current ranges.
  RangeValues range_;
  std::vector<ChannelDescent> channels_;
};

}  // namespace

absl::StatusOr<TrainedRange> TrainRange(
    const TensorView& input, std::optional<std::int32_t> axis, const RangeTrainingOptions& options,
    const FakeQuantizationPasses& passes,
    const std::function<void(const RangeTrainingProgress&)>& on_step) {
  assert(passes.forward != nullptr && passes.backward != nullptr);
  ASSIGN_OR_RETURN(RangeValues start, RangeOfData(input, axis));
  ASSIGN_OR_RETURN(const core::ChannelLayout layout, core::MakeChannelLayout(input.shape, axis));
  return RangeTrainer(input, layout, std::move(start), options, passes).Train(on_step);
}

}  // namespace quantd::client
