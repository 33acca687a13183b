// Fake quantization and its gradient, bit for bit as the framework computes them
// that the numerics names.
//
// Jacob et al., "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", 2018, describe the method; docs/numerics.md
// has the formula and the source of each numerics.

#ifndef QUANTD_CORE_FAKE_QUANTIZATION_H_
#define QUANTD_CORE_FAKE_QUANTIZATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"
#include "core/execution.h"
#include "core/quantization.h"

namespace quantd::core {

class QuantizationPlan;

// A fake quantization with checked parameters, for tensors of any shape that these
// fit. Immutable, cheap to copy, and safe for use by several threads at
// once. Keep it for tensors that share parameters: what follows from these alone is
// computed once.
//
//   ASSIGN_OR_RETURN(const auto quantization, FakeQuantization::Create(range, spec));
//   RETURN_IF_ERROR(quantization.Apply(input, output, &pool));
class FakeQuantization {
 public:
  // Checks everything that does not depend on a tensor, and nudges the range. The
  // tensors will be of `type`. Allocates memory in proportion to the parameters.
  //
  // Errors carry an ErrorDetail with the field names of
  // quantd.v1.FakeQuantizeRequest: UNSUPPORTED_NUMERICS and UNSUPPORTED_DATA_TYPE
  // for what the numerics does not have; INVALID_NUM_BITS; INVALID_QUANT_RANGE. For
  // a range: those of Nudge() or ScaleQuantizeAndDequantize(); RANGE_SIZE_MISMATCH if it does not
  // have exactly one value without an axis. For a scale: PARAMETERS_SIZE_MISMATCH, INVALID_SCALE,
  // INVALID_ZERO_POINT and INVALID_BLOCK_SIZE.
  static absl::StatusOr<FakeQuantization> Create(const QuantizationParameters& parameters,
                                                 const QuantizationSpec& spec,
                                                 ElementType type = ElementType::kFloat32);

  // The same for the gradient, which some numerics do not have, and for which some
  // nudge the range differently.
  static absl::StatusOr<FakeQuantization> CreateForGradient(
      const QuantizationParameters& parameters, const QuantizationSpec& spec,
      ElementType type = ElementType::kFloat32);

  Numerics numerics() const;

  // The number of ranges or scales: 1 without an axis.
  std::size_t channel_count() const;

  // The ranges that are used, one value per channel; null with a scale.
  const NudgedRange* nudged_range() const;

  // Whether the gradient has a part for each end of the range.
  bool has_range_gradients() const;

  // Checks whether tensors of this shape can be quantized.
  //
  // Errors: TENSOR_SIZE_MISMATCH for a negative dimension or too many elements;
  // AXIS_OUT_OF_RANGE; RANGE_SIZE_MISMATCH or PARAMETERS_SIZE_MISMATCH if there is
  // not one range or scale for each index along the axis, or for each block.
  absl::Status CheckShape(std::span<const std::int64_t> shape) const;

  // Returns about how many bytes Apply() or ApplyGradient() allocates for tensors of this
  // shape, which has passed CheckShape(). They do not include what follows from the
  // parameters alone.
  std::size_t WorkingBytes(std::span<const std::int64_t> shape) const;

  // Writes the fake-quantized `input` to `output`, which has the same type and the
  // same number of elements. Both may be the same memory if the input is in one
  // piece; otherwise they must not overlap.
  //
  // What NaN and infinities give is the numerics' choice. With a range, an infinity
  // gives the nearer end of the nudged range. A channel with min == max == 0 gives
  // zeros for any input, except for NaN with kTensorFlowQuantizeAndDequantize.
  //
  // The result has the same bits with any pool and on every SIMD target.
  //
  // Errors: kCancelled if `execution` is, and `output` has no meaning then; those of CheckShape();
  // TENSOR_SIZE_MISMATCH if the input or the output does not have as many elements as its shape.
  absl::Status Apply(const TensorView& input, const OutputView& output,
                     const Execution& execution) const;

  // Where ApplyGradient() writes to. Does not own the elements.
  struct Gradients {
    // As many elements as the inputs, of the same type: the gradient where the
    // input lies in the nudged range (kTensorFlowQuantizeAndDequantize: in the range as
    // it was given), ends included, and 0 where it lies outside or is NaN. With
    // GradientMask::kProduct, these are products with 1 and 0. Numerics that flush subnormal
    // numbers take a subnormal input for 0, and with products also a subnormal gradient for a zero
    // of its sign.
    OutputView input;
    // channel_count() elements, or none without has_range_gradients(): the sum of
    // the gradients where the input lies below the nudged range, taken in double and
    // rounded once, or 0 with kTensorFlowQuantizeAndDequantize. With GradientMask::kProduct,
    // gradient * 0 is added elsewhere: so a gradient that is infinite or NaN makes it NaN, except
    // that an infinite one below the range makes it infinite.
    std::span<float> min;
    // The same for inputs above the nudged range.
    std::span<float> max;
    // The same sums before they were rounded, to add up those of the parts of a
    // tensor. Both are empty, or both have as many elements as `min`.
    std::span<double> min_sum = {};
    std::span<double> max_sum = {};
  };

  // Writes the gradients with respect to the input, min and max to `result`. This
  // was made by CreateForGradient().
  // `gradients` are those with respect to the output, and `inputs` the input of
  // Apply(). No two tensors overlap. A channel with min == max == 0 passes all its
  // gradients to the input; its min and max gradients are 0.
  //
  // Sums are taken in double, in an order that follows from the shape alone. The
  // result has the same bits with any pool and on every SIMD target.
  //
  // Errors: kCancelled as for Apply(); those of CheckShape(); SHAPE_MISMATCH if the shapes or types
  // of gradients and inputs differ; TENSOR_SIZE_MISMATCH if a tensor or a list does not have the
  // expected number of elements.
  absl::Status ApplyGradient(const TensorView& gradients, const TensorView& inputs,
                             const Gradients& result, const Execution& execution) const;

 private:
  explicit FakeQuantization(std::shared_ptr<const QuantizationPlan> plan)
      : plan_(std::move(plan)) {}

  // Checks the number of elements of each argument of ApplyGradient().
  absl::Status CheckGradientSizes(std::size_t element_count, const TensorView& gradients,
                                  const TensorView& inputs, const Gradients& result) const;

  std::shared_ptr<const QuantizationPlan> plan_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_FAKE_QUANTIZATION_H_
