// The golden cases beside this file: arguments of TensorFlow's fake quant ops, and
// the bits of their results. README.md describes how they were made.

#ifndef QUANTD_TESTS_GOLDEN_GOLDEN_CASES_H_
#define QUANTD_TESTS_GOLDEN_GOLDEN_CASES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/quantization.h"

namespace quantd::golden {

struct Case {
  std::string name;
  core::QuantizationSpec spec;
  std::vector<float> min;
  std::vector<float> max;
  std::optional<std::int32_t> axis;
  std::vector<std::int64_t> shape;
  std::vector<float> inputs;

  // The expected results of the forward ops; empty for gradients.
  std::vector<float> outputs;
  // The expected ranges of per-tensor cases, except for those of all zeros; empty
  // otherwise.
  std::vector<float> nudged_min;
  std::vector<float> nudged_max;
  std::vector<float> scale;

  // The arguments and expected results of the gradient ops; empty for forward ones.
  std::vector<float> gradients;
  std::vector<float> input_gradients;
  std::vector<double> min_gradient;
  std::vector<double> max_gradient;

  bool is_gradient() const { return !gradients.empty(); }
  core::Range range() const { return {.min = min, .max = max, .axis = axis}; }
};

// Reads all cases. Throws if a file is missing or malformed, which fails the test.
std::vector<Case> LoadCases();

// Returns how far a min or max gradient may lie from the exact sum over `gradients`:
// one float32 ulp, and a little more if terms cancel.
double GradientTolerance(double exact, const std::vector<float>& gradients);

}  // namespace quantd::golden

#endif  // QUANTD_TESTS_GOLDEN_GOLDEN_CASES_H_
