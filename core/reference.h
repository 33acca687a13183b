// The formulas of docs/numerics.md in plain C++, one element after another: slow,
// obvious, and what the kernels must equal, bit for bit. Clients check the answers
// of servers with it.
//
// float16 and bfloat16 are widened before and rounded after these functions. What
// depends on the type before that, spec.precision, takes `input_type`.

#ifndef QUANTD_CORE_REFERENCE_H_
#define QUANTD_CORE_REFERENCE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::core::reference {

// Return the output of FakeQuantization::Apply() for an input of this shape.
// Errors: those of FakeQuantization::Create() and Apply().
absl::StatusOr<std::vector<float>> FakeQuantize(std::span<const std::int64_t> shape,
                                                std::span<const float> input,
                                                const QuantizationParameters& parameters,
                                                const QuantizationSpec& spec,
                                                ElementType input_type = ElementType::kFloat32);
absl::StatusOr<std::vector<double>> FakeQuantize(std::span<const std::int64_t> shape,
                                                 std::span<const double> input,
                                                 const QuantizationParameters& parameters,
                                                 const QuantizationSpec& spec);

template <typename T>
struct Gradients {
  // With respect to the inputs; as many elements as these.
  std::vector<T> input;
  // One value per channel, or none if the numerics has no gradients of the range:
  // sums in double, taken in the order of the elements.
  std::vector<double> min;
  std::vector<double> max;
};

// Return the gradients of FakeQuantization::ApplyGradient() for tensors of this
// shape. Errors: those of FakeQuantization::CreateForGradient() and ApplyGradient().
absl::StatusOr<Gradients<float>> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                                      std::span<const float> gradients,
                                                      std::span<const float> inputs,
                                                      const QuantizationParameters& parameters,
                                                      const QuantizationSpec& spec);
absl::StatusOr<Gradients<double>> FakeQuantizeGradient(std::span<const std::int64_t> shape,
                                                       std::span<const double> gradients,
                                                       std::span<const double> inputs,
                                                       const QuantizationParameters& parameters,
                                                       const QuantizationSpec& spec);

// FakeQuantizeGradient(), for callers that differentiate whatever operation they
// are given.
inline absl::StatusOr<Gradients<float>> Differentiate(std::span<const std::int64_t> shape,
                                                      std::span<const float> gradients,
                                                      std::span<const float> inputs,
                                                      const QuantizationParameters& parameters,
                                                      const QuantizationSpec& spec) {
  return FakeQuantizeGradient(shape, gradients, inputs, parameters, spec);
}

// Returns the codes of Quantizer::Apply() for an input of this shape.
// Errors: those of Quantizer::Create() and Apply().
absl::StatusOr<std::vector<std::int32_t>> Quantize(std::span<const std::int64_t> shape,
                                                   std::span<const float> input,
                                                   const QuantizationParameters& parameters,
                                                   const QuantizationSpec& spec,
                                                   ElementType code_type,
                                                   ElementType input_type = ElementType::kFloat32);

// Returns the values of Dequantizer::Apply() for codes of this shape, all of which
// `code_type` has. Errors: those of Dequantizer::Create() and Apply().
absl::StatusOr<std::vector<float>> Dequantize(std::span<const std::int64_t> shape,
                                              std::span<const std::int32_t> codes,
                                              const QuantizationParameters& parameters,
                                              const QuantizationSpec& spec, ElementType code_type);

}  // namespace quantd::core::reference

#endif  // QUANTD_CORE_REFERENCE_H_
