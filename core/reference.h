// The numerics contract in plain C++, one element after another: slow, obvious,
// and what the kernels are held to, bit for bit. Also lets a client check a
// server's answers.

#ifndef QUANTD_CORE_REFERENCE_H_
#define QUANTD_CORE_REFERENCE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "core/quantization.h"

namespace quantd::core::reference {

// The same as FakeQuantization::Apply(). `input` has as many elements as
// `shape`. Errors: those of FakeQuantization.
absl::StatusOr<std::vector<float>> FakeQuantize(std::span<const std::int64_t> shape,
                                                std::span<const float> input, const Range& range,
                                                const QuantizationSpec& spec);

struct Gradients {
  std::vector<float> input;
  // Exact sums to double precision, in index order, one a channel: the kernels
  // lie within one float32 ulp of them.
  std::vector<double> min;
  std::vector<double> max;
};

// The same as FakeQuantization::ApplyGradient(). Errors: those of
// FakeQuantization.
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
