// TensorFlow's fake quantization and its gradient, bit for bit.
//
// Sources: TensorFlow's FakeQuantWithMinMaxArgs, -Vars and -VarsPerChannel and
// their gradients (tensorflow/core/kernels/fake_quant_ops_functor.h). Jacob et
// al., "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", 2018, describe the method.

#ifndef QUANTD_CORE_FAKE_QUANTIZATION_H_
#define QUANTD_CORE_FAKE_QUANTIZATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"
#include "core/tensor_shape.h"
#include "core/worker_pool.h"

namespace quantd::core {

class QuantizationPlan;

// A fake quantization with a checked range and spec, for tensors of any shape that
// the range fits. Immutable, cheap to copy, and safe for use by several threads at
// once. Keep it for tensors that share a range: what follows from the range alone
// is computed once.
//
//   ASSIGN_OR_RETURN(const auto quantization, FakeQuantization::Create(range, spec));
//   RETURN_IF_ERROR(quantization.Apply(input, output, &pool));
class FakeQuantization {
 public:
  // Checks everything that does not depend on a tensor, and nudges the range.
  // Allocates memory in proportion to the range.
  //
  // Errors carry an ErrorDetail with the field names of
  // quantd.v1.FakeQuantizeRequest: INVALID_NUM_BITS; INVALID_RANGE as in Nudge();
  // RANGE_SIZE_MISMATCH if min and max differ in size, or do not have exactly one
  // value without an axis.
  static absl::StatusOr<FakeQuantization> Create(const Range& range, const QuantizationSpec& spec);

  // The number of ranges: 1 without an axis.
  std::size_t channel_count() const;

  // The ranges that are used, one value per channel.
  const NudgedRange& nudged_range() const;

  // Checks whether tensors of this shape can be quantized.
  //
  // Errors: TENSOR_SIZE_MISMATCH for a negative dimension or too many elements;
  // AXIS_OUT_OF_RANGE; RANGE_SIZE_MISMATCH if the range does not have one value for
  // each index along the axis.
  absl::Status CheckShape(std::span<const std::int64_t> shape) const;

  // Writes the fake-quantized `input` to `output`, which has the same type and the
  // same number of elements. Both may be the same memory if the input is in one
  // piece; otherwise they must not overlap.
  //
  // NaN gives NaN, and an infinity gives the nearer end of the nudged range. A
  // channel with min == max == 0 gives zeros for any input.
  //
  // Shares a large tensor out over `pool`, unless that is null. The result has the
  // same bits with any pool and on every SIMD target.
  //
  // Errors: those of CheckShape(); TENSOR_SIZE_MISMATCH if the input or the output
  // does not have as many elements as its shape.
  absl::Status Apply(const TensorView& input, const OutputView& output, WorkerPool* pool) const;

  // Where ApplyGradient() writes to. Does not own the elements.
  struct Gradients {
    // As many elements as the inputs, of the same type: gradient * 1 where the
    // input lies in the nudged range, ends included, and gradient * 0 where it
    // lies outside or is NaN. As TensorFlow flushes subnormal numbers to zeros, a
    // subnormal gradient counts as a zero of its sign, and a subnormal input as 0.
    OutputView input;
    // channel_count() elements: the sum of gradient * 1 where the input lies below
    // the nudged range and of gradient * 0 elsewhere, taken in double and rounded
    // once. So a gradient that is infinite or NaN makes it NaN, except that
    // an infinite one below the range makes it infinite.
    std::span<float> min;
    // The same for inputs above the nudged range.
    std::span<float> max;
    // The same sums before they were rounded, to add up those of the parts of a
    // tensor. Both are empty, or both have channel_count() elements.
    std::span<double> min_sum = {};
    std::span<double> max_sum = {};
  };

  // Writes the gradients with respect to the input, min and max to `result`.
  // `gradients` are those with respect to the output, and `inputs` the input of
  // Apply(). No two tensors overlap. A channel with min == max == 0 passes all its
  // gradients to the input; its min and max gradients are 0.
  //
  // Sums are taken in double, in an order that follows from the shape alone. The
  // result has the same bits with any pool and on every SIMD target.
  //
  // Errors: those of CheckShape(); SHAPE_MISMATCH if the shapes or types of
  // gradients and inputs differ; TENSOR_SIZE_MISMATCH if a tensor or a list does
  // not have the expected number of elements.
  absl::Status ApplyGradient(const TensorView& gradients, const TensorView& inputs,
                             const Gradients& result, WorkerPool* pool) const;

 private:
  explicit FakeQuantization(std::shared_ptr<const QuantizationPlan> plan)
      : plan_(std::move(plan)) {}

  // Returns the layout of `shape`. Errors: those of CheckShape().
  absl::StatusOr<ChannelLayout> LayoutOf(std::span<const std::int64_t> shape) const;

  // Checks the number of elements of each argument of ApplyGradient().
  absl::Status CheckGradientSizes(std::size_t element_count, const TensorView& gradients,
                                  const TensorView& inputs, const Gradients& result) const;

  std::shared_ptr<const QuantizationPlan> plan_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_FAKE_QUANTIZATION_H_
