// The contenders of the kernel benchmark, and the problems that they solve.

#ifndef QUANTD_BENCH_CONTENDERS_CONTENDER_H_
#define QUANTD_BENCH_CONTENDERS_CONTENDER_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace quantd::bench {

// The parameters of a nudged range that the formulas need.
struct NudgedChannel {
  float nudged_min;
  float nudged_max;
  float scale;
  float inverse_scale;
  float quant_zero;
};

// The tensors and ranges, which are the same for every contender. Does not own them. All
// tensors have the same size and start at the beginning of a page.
struct Problem {
  // Whether there is one range per channel, along the last axis, or one range for the whole
  // tensor.
  bool per_channel;
  std::span<const float> inputs;
  std::span<const float> gradients;
  // The results of every operation; for a gradient, those with respect to the inputs.
  std::span<float> outputs;

  // One value per channel, or a single one.
  std::span<const float> min;
  std::span<const float> max;
  std::span<const NudgedChannel> nudged;
  std::span<float> min_gradients;
  std::span<float> max_gradients;
};

// Does the work once. Throws std::runtime_error if it cannot.
using Call = std::function<void()>;

// A contender that offers an operation:
//   forward    outputs = fake-quantized inputs
//   gradient   outputs, min_gradients and max_gradients from gradients and inputs
//   copy       outputs = inputs
//   add        outputs = inputs + gradients: two arrays read and one written
struct Contender {
  std::string name;
  std::string operation;
  // Prepares everything that does not depend on the elements. This is not timed.
  std::function<Call(const Problem&)> prepare;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_CONTENDER_H_
