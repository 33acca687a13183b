// The contenders of the kernel benchmark, and the problems that they solve.

#ifndef QUANTD_BENCH_CONTENDERS_CONTENDER_H_
#define QUANTD_BENCH_CONTENDERS_CONTENDER_H_

#include <cstddef>
#include <cstdint>
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
// tensors have as many elements and start at the beginning of a page.
struct Problem {
  // Whether there is one range per channel, or one range for the whole tensor.
  bool per_channel;
  // Whether channels lie along the first axis, and not along the last one. Only for the
  // operations with a TYPE.
  bool along_first_axis;
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

  // What codes are made with, instead of a range; the zero points are those of uint8.
  std::span<const float> scale;
  std::span<const std::int32_t> zero_point;
  // Codes of any type, as many as elements: two bytes for each.
  std::span<const std::byte> codes;
};

// Does the work once. Throws std::runtime_error if it cannot.
using Call = std::function<void()>;

// A contender that offers an operation:
//   forward    outputs = fake-quantized inputs
//   gradient   outputs, min_gradients and max_gradients from gradients and inputs
//   copy       outputs = inputs
//   add        outputs = inputs + gradients: two arrays read and one written
//   quantize_TYPE
//              outputs = the codes of the inputs, of type TYPE
//   dequantize_TYPE
//              outputs = the values of `codes`, which are of type TYPE
//   forward_TYPE
//              outputs = fake-quantized inputs, both of TYPE, a type of 16-bit floats
// The outputs of other types than float32 fill the beginning of the memory of the outputs.
struct Contender {
  std::string name;
  std::string operation;
  // Prepares everything that does not depend on the elements. This is not timed.
  std::function<Call(const Problem&)> prepare;
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_CONTENDERS_CONTENDER_H_
