// Fake quantization as an operation on whole tensors.

#ifndef QUANTD_CORE_OPERATIONS_FAKE_QUANTIZE_H_
#define QUANTD_CORE_OPERATIONS_FAKE_QUANTIZE_H_

#include "core/base/tensor_view.h"
#include "core/execution.h"
#include "core/operations/quantization_plan.h"
#include "core/parameter_layout.h"

namespace quantd::core {

// See FakeQuantization::Apply(). The arguments have been checked: `layout` is that
// of `input` with the parameters of the plan, and `output` has as many elements.
void FakeQuantize(const QuantizationPlan& plan, const ParameterLayout& layout,
                  const TensorView& input, const OutputView& output, const Execution& execution);

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_FAKE_QUANTIZE_H_
