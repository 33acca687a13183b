// The formulas of docs/design.md in plain C++, one element after another: slow,
// obvious, and what the kernels must equal, bit for bit. Clients check the answers
// of servers with it.

#ifndef QUANTD_CORE_REFERENCE_H_
#define QUANTD_CORE_REFERENCE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "core/quantization.h"

namespace quantd::core::reference {

// Returns the output of FakeQuantization::Apply() for an input of this shape.
// Errors: those of FakeQuantization::Create() and Apply().
absl::StatusOr<std::vector<float>> FakeQuantize(std::span<const std::int64_t> shape,
                                                std::span<const float> input, const Range& range,
                                                const QuantizationSpec& spec);

struct Gradients {
  // With respect to the inputs; as many elements as these.
  std::vector<float> input;
  // One value per channel: sums in double, taken in the order of the elements.
  std::vector<double> min;
  std::vector<double> max;
};

// Returns the gradients of FakeQuantization::ApplyGradient() for tensors of this
// shape. Errors: those of FakeQuantization::Create() and ApplyGradient().
absl::StatusOr<Gradients> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                               std::span<const float> gradients,
                                               std::span<const float> inputs, const Range& range,
                                               const QuantizationSpec& spec);

// FakeQuantizeGradient(), for callers that differentiate whatever operation they
// are given.
inline absl::StatusOr<Gradients> Differentiate(std::span<const std::int64_t> shape,
                                               std::span<const float> gradients,
                                               std::span<const float> inputs, const Range& range,
                                               const QuantizationSpec& spec) {
  return FakeQuantizeGradient(shape, gradients, inputs, range, spec);
}

}  // namespace quantd::core::reference

#endif  // QUANTD_CORE_REFERENCE_H_
