// TensorFlow's fake quantization and its gradient, with its exact bits.
//
// Sources: TensorFlow's FakeQuantWithMinMaxArgs, -Vars and -VarsPerChannel and
// their gradients (tensorflow/core/kernels/fake_quant_ops_functor.h); Jacob et
// al., "Quantization and Training of Neural Networks for Efficient
// Integer-Arithmetic-Only Inference", 2018, for the method.

#ifndef QUANTD_CORE_FAKE_QUANTIZATION_H_
#define QUANTD_CORE_FAKE_QUANTIZATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/scattered_elements.h"
#include "core/quantization.h"
#include "core/tensor_shape.h"
#include "core/worker_pool.h"

namespace quantd::core {

// A checked fake quantization of tensors of one shape: everything about it that
// does not depend on the elements. Cheap to make, immutable, and safe to use
// from several threads at once.
//
//   auto quantization = FakeQuantization::Create(shape, range, spec);
//   if (!quantization.ok()) return quantization.status();
//   std::vector<float> output(quantization->element_count());
//   quantization->Apply(input, output, &pool);
class FakeQuantization {
 public:
  // Checks the arguments and nudges the range. Allocates in proportion to the
  // range alone, never to the shape.
  //
  // Errors, all with an ErrorDetail: INVALID_NUM_BITS; TENSOR_SIZE_MISMATCH for
  // a shape with a negative dimension or too many elements;
  // AXIS_OUT_OF_RANGE; RANGE_SIZE_MISMATCH where min and max do not have one
  // value (without an axis) or one for each channel (with one);
  // INVALID_RANGE as in Nudge(). The field names are those of
  // quantd.v1.FakeQuantizeRequest.
  static absl::StatusOr<FakeQuantization> Create(std::span<const std::int64_t> shape,
                                                 const Range& range, const QuantizationSpec& spec);

  // The number of elements of the tensors this takes.
  std::size_t element_count() const { return layout_.element_count(); }

  // The number of ranges: 1 without an axis.
  std::size_t channel_count() const { return layout_.channels; }

  // The ranges that are really used.
  const NudgedRange& nudged_range() const { return nudged_range_; }

  // Writes the fake-quantized `input` to `output`. Both have element_count()
  // elements and either do not overlap or, where the input is in one piece, are
  // the same. NaN gives NaN, infinities give the ends of the nudged range; a
  // channel with min == max == 0 gives zeros whatever its input.
  //
  // Splits a large tensor over `pool`, unless it is null. The result is the
  // same bits with any pool and on every SIMD target.
  //
  // Errors: kInvalidArgument where a span has another size.
  absl::Status Apply(const ScatteredElements& input, std::span<float> output,
                     WorkerPool* pool) const;
  absl::Status Apply(std::span<const float> input, std::span<float> output,
                     WorkerPool* pool) const {
    return Apply(ScatteredElements(input), output, pool);
  }

  // Where the gradients of Apply() go. Does not own the elements.
  struct Gradients {
    // element_count() elements: `gradients` where the input lies within the
    // nudged range, ends included, gradient * 0 elsewhere and where it is NaN.
    std::span<float> input;
    // channel_count() elements: the sum of `gradients` where the input lies
    // below the nudged range, within one float32 ulp of the exact sum.
    std::span<float> min;
    // The same for inputs above the nudged range.
    std::span<float> max;
    // Where they are not empty, what `min` and `max` were before they were
    // rounded: for adding up those of a tensor's parts.
    std::span<double> min_sum = {};
    std::span<double> max_sum = {};
  };

  // Writes to `result` the gradients with respect to the input, min and max,
  // given those with respect to the output (`gradients`) and the input that
  // Apply() had (`inputs`). Nothing overlaps. A channel with min == max == 0 passes all
  // its gradients to the input and has min and max gradients of 0.
  //
  // The sums are taken in double, in an order that follows from the shape
  // alone: the same bits with any pool and on every SIMD target.
  //
  // Errors: kInvalidArgument where a span has another size.
  absl::Status ApplyGradient(const ScatteredElements& gradients, const ScatteredElements& inputs,
                             const Gradients& result, WorkerPool* pool) const;
  absl::Status ApplyGradient(std::span<const float> gradients, std::span<const float> inputs,
                             const Gradients& result, WorkerPool* pool) const {
    return ApplyGradient(ScatteredElements(gradients), ScatteredElements(inputs), result, pool);
  }

 private:
  struct Parameters;

  FakeQuantization(const ChannelLayout& layout, NudgedRange nudged_range,
                   std::shared_ptr<const Parameters> parameters)
      : layout_(layout),
        nudged_range_(std::move(nudged_range)),
        parameters_(std::move(parameters)) {}

  static Parameters MakeParameters(const ChannelLayout& layout, const NudgedRange& nudged_range,
                                   const Range& range, const QuantizationSpec& spec);

  void ApplyToRuns(const ScatteredElements& input, float* output, WorkerPool* pool) const;
  void ApplyToColumns(const ScatteredElements& input, float* output, WorkerPool* pool) const;

  // Sums of gradients, one of each a channel.
  struct RangeGradients {
    std::vector<double> min;
    std::vector<double> max;
  };
  // Write the input gradients, and return the sums.
  RangeGradients DifferentiateElements(const ScatteredElements& gradients,
                                       const ScatteredElements& inputs, float* input_gradients,
                                       WorkerPool* pool) const;
  RangeGradients DifferentiateRuns(const ScatteredElements& gradients,
                                   const ScatteredElements& inputs, float* input_gradients,
                                   WorkerPool* pool) const;
  RangeGradients DifferentiateColumns(const ScatteredElements& gradients,
                                      const ScatteredElements& inputs, float* input_gradients,
                                      WorkerPool* pool) const;

  ChannelLayout layout_;
  NudgedRange nudged_range_;
  // What the kernels need to know, laid out for them.
  std::shared_ptr<const Parameters> parameters_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_FAKE_QUANTIZATION_H_
