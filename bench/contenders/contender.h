// Who takes part in the kernel benchmark, and what they are asked to do.

#ifndef QUANTD_BENCH_CONTENDERS_CONTENDER_H_
#define QUANTD_BENCH_CONTENDERS_CONTENDER_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace quantd::bench {

// A range as the formulas need it, after nudging.
struct NudgedChannel {
  float nudged_min;
  float nudged_max;
  float scale;
  float inverse_scale;
  float quant_zero;
};

// Tensors and ranges, the same for every contender. Does not own them. All
// tensors have one size and start at a multiple of a page.
struct Problem {
  // Channels lie along the last axis; without any, one range holds for all.
  bool per_channel;
  std::span<const float> inputs;
  std::span<const float> gradients;
  // Results of every operation; of a gradient those with respect to inputs.
  std::span<float> outputs;

  // One value for each channel, or one at all.
  std::span<const float> min;
  std::span<const float> max;
  std::span<const NudgedChannel> nudged;
  std::span<float> min_gradients;
  std::span<float> max_gradients;
};

// Does the work once. Throws std::runtime_error where it cannot.
using Call = std::function<void()>;

// One that offers an operation:
//   forward    outputs = fake-quantized inputs
//   gradient   outputs, min_gradients and max_gradients from gradients and inputs
//   copy       outputs = inputs
//   add        outputs = inputs + gradients: two arrays read and one written
struct Contender {
  std::string name;
  std::string operation;
  // Makes ready all that does not depend on the elements; is not timed.
  std::function<Call(const Problem&)> prepare;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_CONTENDER_H_
