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
  // Signal to quantization noise ratio of the tensor, with the range that training
  // started from and with `range`, as in core::ErrorStatistics. The second is
  // never less than the first.
  double sqnr_db_before = 0;
  double sqnr_db_after = 0;
  // How many steps were taken: 0 if all values are zero.
  int steps = 0;
};

// Learns one range, or one per channel along `axis`, for `input`, a float32 tensor.
// `passes` are those of `input`, with the spec of the options.
//
// The loss is the mean squared error. Its gradient is that of the cost of
// clipping, which passes.backward computes, and that of the cost of rounding,
// scale²/12. Each channel is learnt by itself: it starts from its own least and
// greatest value, extended to 0, and keeps the range with the least measured
// error. Channels of zeros keep [0, 0]. NaN is ignored.
//
// `on_step` may be empty; it is called before each step.
//
// Errors: those of RangeOfData() and of the passes.
absl::StatusOr<TrainedRange> TrainRange(
    const TensorView& input, std::optional<std::int32_t> axis, const RangeTrainingOptions& options,
    const FakeQuantizationPasses& passes,
    const std::function<void(const RangeTrainingProgress&)>& on_step);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_RANGE_TRAINING_H_
