// The gradient of fake quantization as an operation on whole tensors.

#ifndef QUANTD_CORE_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_
#define QUANTD_CORE_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_

#include <vector>

#include "core/base/tensor_view.h"
#include "core/execution.h"
#include "core/operations/quantization_plan.h"
#include "core/tensor_shape.h"

namespace quantd::core {

// For each channel, the sum of the gradients whose inputs lie below and above the
// nudged range, in double.
struct ChannelSums {
  std::vector<double> below;
  std::vector<double> above;
};

// See FakeQuantization::ApplyGradient(). Writes the input gradients, and returns
// the sums. The arguments have been checked: `layout` is that of `inputs` along the
// axis of the plan, and the other tensors have as many elements.
ChannelSums FakeQuantizeGradient(const QuantizationPlan& plan, const ChannelLayout& layout,
                                 const TensorView& gradients, const TensorView& inputs,
                                 const OutputView& input_gradients, const Execution& execution);

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_
