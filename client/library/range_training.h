// Learns the range that quantizes a tensor with the least squared error, by
// gradient descent through fake quantization.
//
// Sources: Jain et al., "Trained Quantization Thresholds for Accurate and
// Efficient Fixed-Point Inference of Deep Neural Networks", 2020, for learning
// a range by gradient; Kingma and Ba, "Adam: A Method for Stochastic
// Optimization", 2015, for the descent.

#ifndef QUANTD_CLIENT_LIBRARY_RANGE_TRAINING_H_
#define QUANTD_CLIENT_LIBRARY_RANGE_TRAINING_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/range_of_data.h"
#include "core/quantization.h"

namespace quantd::client {

struct RangeTrainingOptions {
  core::QuantizationSpec spec;
  // How many steps to take; at least 0.
  int steps = 200;
  // The length of the first step, as a share of the width of the starting
  // range; above 0. It falls by a factor of 100 until the last step.
  double learning_rate = 0.03;
};

// Who computes. Both work on the tensor that is trained on, with the spec of
// the options; neither may be empty.
struct RangeTrainingCalls {
  std::function<absl::StatusOr<FakeQuantizeResult>(const core::Range& range)> fake_quantize;
  std::function<absl::StatusOr<FakeQuantizeGradientResult>(std::span<const float> gradients,
                                                           const core::Range& range)>
      fake_quantize_gradient;
};

// The calls of `client`, which they refer to as they do to the elements of
// `input`: both must outlive them.
RangeTrainingCalls MakeRangeTrainingCalls(Client& client, const TensorView& input,
                                          const core::QuantizationSpec& spec);

struct RangeTrainingProgress {
  // 1..steps.
  int step = 0;
  int steps = 0;
  // The mean squared error over the tensor, before the step.
  double loss = 0;
};

struct TrainedRange {
  // The best range that was tried; min <= 0 <= max.
  RangeValues range;
  // Signal to quantization noise ratio of the tensor with the range it started
  // from and with `range`, as core::ErrorStatistics has it. The second is never
  // less than the first.
  double sqnr_db_before = 0;
  double sqnr_db_after = 0;
  // How many steps were taken: 0 where all values are zero.
  int steps = 0;
};

// Learns one range, or one for each channel along `axis`, for `input`. The loss
// is the mean squared error; a part of its gradient is what clipping costs,
// differentiated by calls.fake_quantize_gradient, and a part what rounding
// costs, scale²/12. Each channel is learnt for itself: it starts from its own
// least and greatest value, extended to 0, and keeps the range with the least
// measured error. Channels of zeros keep [0, 0]. NaN counts for nothing.
//
// `on_step` may be empty; it is called before each step.
//
// Errors: those of RangeOfData() and of the calls.
absl::StatusOr<TrainedRange> TrainRange(
    const TensorView& input, std::optional<std::int32_t> axis, const RangeTrainingOptions& options,
    const RangeTrainingCalls& calls,
    const std::function<void(const RangeTrainingProgress&)>& on_step);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_RANGE_TRAINING_H_
