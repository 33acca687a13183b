// Floats to codes, and codes to floats.

#ifndef QUANTD_CORE_QUANTIZER_H_
#define QUANTD_CORE_QUANTIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"
#include "core/execution.h"
#include "core/quantization.h"
#include "core/resolved_spec.h"

namespace quantd::core {

class QuantizationPlan;

// A conversion of floats to codes with checked parameters, for tensors of any shape
// that these fit. Immutable, cheap to copy, and safe for use by several threads at
// once.
class Quantizer {
 public:
  // Checks everything that does not depend on a tensor. Allocates memory in
  // proportion to the parameters.
  //
  // Errors carry an ErrorDetail with the field names of quantd.v1.QuantizeRequest:
  // UNSUPPORTED_NUMERICS and UNSUPPORTED_DATA_TYPE for what the numerics does not
  // have; INVALID_NUM_BITS; INVALID_QUANT_RANGE; those of nudging a range, as in
  // FakeQuantization::Create(); PARAMETERS_SIZE_MISMATCH, INVALID_SCALE,
  // INVALID_ZERO_POINT and INVALID_BLOCK_SIZE for scales and zero points.
  static absl::StatusOr<Quantizer> Create(const QuantizationParameters& parameters,
                                          const QuantizationSpec& spec,
                                          const ConversionTypes& types);

  // The same with parameters computed from the data of `input`, zero included: its
  // least and its greatest element in each channel or block, as a range for numerics
  // by range, and as ONNX's DynamicQuantizeLinear has it for kOnnx.
  //
  // Errors: kCancelled if `execution` is; those of Create(); UNSUPPORTED_NUMERICS for other
  // numerics; INVALID_VALUE with the index of the first NaN; those of a shape that does not have
  // the axis; PARAMETERS_MISMATCH for a symmetric range with kOnnx, and for blocks with a range.
  static absl::StatusOr<Quantizer> CreateFromData(const DataRange& data_range,
                                                  const QuantizationSpec& spec,
                                                  const TensorView& input, ElementType output,
                                                  const Execution& execution);

  Numerics numerics() const;
  // The scale and zero point of each channel, in the codes of the output's type.
  UsedParameters parameters() const;
  // The nudged ranges; null for numerics by scale.
  const NudgedRange* nudged_range() const;

  // Checks whether tensors of this shape can be quantized.
  //
  // Errors: TENSOR_SIZE_MISMATCH for a negative dimension or too many elements;
  // AXIS_OUT_OF_RANGE; RANGE_SIZE_MISMATCH or PARAMETERS_SIZE_MISMATCH if the
  // parameters do not fit.
  absl::Status CheckShape(std::span<const std::int64_t> shape) const;

  // The number of ranges or scales.
  std::size_t channel_count() const;

  // Returns about how many bytes Apply() allocates for a tensor of this shape, which has
  // passed CheckShape(). They do not include what follows from the parameters alone.
  std::size_t WorkingBytes(std::span<const std::int64_t> shape) const;

  // Writes the codes of `input` to `output`; types as in Create(), as many elements
  // of one as of the other. No memory overlaps. The result has the same bits with
  // any pool and on every SIMD target.
  //
  // Errors: kCancelled if `execution` is; those of CheckShape(); TENSOR_SIZE_MISMATCH for a wrong
  // number of elements; INVALID_VALUE with the index of the first NaN, if the numerics has no code
  // for it. `output` has no meaning then.
  absl::Status Apply(const TensorView& input, const OutputView& output,
                     const Execution& execution) const;

 private:
  explicit Quantizer(std::shared_ptr<const QuantizationPlan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const QuantizationPlan> plan_;
};

// The inverse of a Quantizer: codes to the floats that they stand for.
class Dequantizer {
 public:
  // Errors: as Quantizer::Create(), with the field names of
  // quantd.v1.DequantizeRequest.
  static absl::StatusOr<Dequantizer> Create(const QuantizationParameters& parameters,
                                            const QuantizationSpec& spec,
                                            const ConversionTypes& types);

  Numerics numerics() const;

  // As Quantizer::CheckShape().
  absl::Status CheckShape(std::span<const std::int64_t> shape) const;

  // As those of Quantizer.
  std::size_t channel_count() const;
  std::size_t WorkingBytes(std::span<const std::int64_t> shape) const;

  // Writes the values of the codes in `input` to `output`; otherwise as
  // Quantizer::Apply(). Every code of the type has a value, also those that the
  // Quantizer does not produce.
  absl::Status Apply(const TensorView& input, const OutputView& output,
                     const Execution& execution) const;

 private:
  explicit Dequantizer(std::shared_ptr<const QuantizationPlan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const QuantizationPlan> plan_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_QUANTIZER_H_
