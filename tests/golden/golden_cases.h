// The golden cases beside this file: arguments of TensorFlow's fake quant ops
// and the bits that must come out. README.md tells how they were made.

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

  // Expected of the forward ops; empty for gradients.
  std::vector<float> outputs;
  // Expected of the per-tensor cases but those of all zeros; else empty.
  std::vector<float> nudged_min;
  std::vector<float> nudged_max;
  std::vector<float> scale;

  // Of the gradient ops; empty for the forward ones.
  std::vector<float> gradients;
  std::vector<float> input_gradients;
  std::vector<double> min_gradient;
  std::vector<double> max_gradient;

  bool is_gradient() const { return !gradients.empty(); }
  core::Range range() const { return {.min = min, .max = max, .axis = axis}; }
};

// All cases. Throws where a file is missing or spoilt, which fails the test.
std::vector<Case> LoadCases();

// How far a min or max gradient may lie from the exact sum over `gradients`:
// one float32 ulp, and a little more where terms cancel.
double GradientTolerance(double exact, const std::vector<float>& gradients);

}  // namespace quantd::golden

#endif  // QUANTD_TESTS_GOLDEN_GOLDEN_CASES_H_
