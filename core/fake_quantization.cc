#include "core/fake_quantization.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/operations/fake_quantize.h"
#include "core/operations/fake_quantize_gradient.h"
#include "core/operations/quantization_plan.h"
#include "core/parameter_layout.h"

namespace quantd::core {
namespace {

absl::Status ShapesDiffer() {
  return InvalidArgument(ErrorReason::kShapeMismatch,
                         "gradients and inputs differ in shape or type; expected the same: send "
                         "the inputs that the gradients belong to",
                         {.field = "inputs.shape"});
}

}  // namespace

absl::StatusOr<FakeQuantization> FakeQuantization::Create(const QuantizationParameters& parameters,
                                                          const QuantizationSpec& spec,
                                                          ElementType type) {
  ASSIGN_OR_RETURN(auto plan, QuantizationPlan::Create(OperationKind::kFakeQuantize, parameters,
                                                       spec, {type, type}));
  return FakeQuantization(std::move(plan));
}

absl::StatusOr<FakeQuantization> FakeQuantization::CreateForGradient(
    const QuantizationParameters& parameters, const QuantizationSpec& spec, ElementType type) {
  ASSIGN_OR_RETURN(auto plan, QuantizationPlan::Create(OperationKind::kFakeQuantizeGradient,
                                                       parameters, spec, {type, type}));
  return FakeQuantization(std::move(plan));
}

Numerics FakeQuantization::numerics() const { return plan_->spec().numerics; }

std::size_t FakeQuantization::channel_count() const { return plan_->channel_count(); }

const NudgedRange* FakeQuantization::nudged_range() const {
  return plan_->nudged_range().has_value() ? &*plan_->nudged_range() : nullptr;
}

bool FakeQuantization::has_range_gradients() const {
  return plan_->nudged_range().has_value() && plan_->spec().range().has_range_gradients;
}

absl::Status FakeQuantization::CheckShape(std::span<const std::int64_t> shape) const {
  return plan_->LayoutOf(shape).status();
}

std::size_t FakeQuantization::WorkingBytes(std::span<const std::int64_t> shape) const {
  return plan_->WorkingBytes(shape);
}

absl::Status FakeQuantization::Apply(const TensorView& input, const OutputView& output,
                                     const Execution& execution) const {
  assert(input.type == plan_->types().input && output.type() == plan_->types().output);
  ASSIGN_OR_RETURN(const ParameterLayout layout, plan_->LayoutOf(input.shape));
  RETURN_IF_ERROR(CheckSize("input", input.element_count(), layout.element_count()));
  RETURN_IF_ERROR(CheckSize("output", output.element_count(), layout.element_count()));
  FakeQuantize(*plan_, layout, input, output, execution);
  return execution.CheckWanted();
}

absl::Status FakeQuantization::CheckGradientSizes(std::size_t element_count,
                                                  const TensorView& gradients,
                                                  const TensorView& inputs,
                                                  const Gradients& result) const {
  const std::size_t channels = has_range_gradients() ? channel_count() : 0;
  const bool no_sums = result.min_sum.empty() && result.max_sum.empty();
  const std::size_t sum_count = no_sums ? 0 : channels;
  RETURN_IF_ERROR(CheckSize("gradients", gradients.element_count(), element_count));
  RETURN_IF_ERROR(CheckSize("inputs", inputs.element_count(), element_count));
  RETURN_IF_ERROR(CheckSize("input_gradients", result.input.element_count(), element_count));
  RETURN_IF_ERROR(CheckSize("min_gradient", result.min.size(), channels));
  RETURN_IF_ERROR(CheckSize("max_gradient", result.max.size(), channels));
  RETURN_IF_ERROR(CheckSize("min_gradient_sum", result.min_sum.size(), sum_count));
  return CheckSize("max_gradient_sum", result.max_sum.size(), sum_count);
}

absl::Status FakeQuantization::ApplyGradient(const TensorView& gradients, const TensorView& inputs,
                                             const Gradients& result,
                                             const Execution& execution) const {
  ASSIGN_OR_RETURN(const ParameterLayout layout, plan_->LayoutOf(inputs.shape));
  if (gradients.type != inputs.type || !std::ranges::equal(gradients.shape, inputs.shape)) {
    return ShapesDiffer();
  }
  RETURN_IF_ERROR(CheckGradientSizes(layout.element_count(), gradients, inputs, result));
  const ChannelSums sums =
      FakeQuantizeGradient(*plan_, layout.channels, gradients, inputs, result.input, execution);
  RETURN_IF_ERROR(execution.CheckWanted());
  if (!has_range_gradients()) {
    return absl::OkStatus();
  }
  if (plan_->spec().range().has_zero_range_gradients) {
    for (const std::span<float> zeros : {result.min, result.max}) {
      std::ranges::fill(zeros, 0.0F);
    }
    for (const std::span<double> zeros : {result.min_sum, result.max_sum}) {
      std::ranges::fill(zeros, 0.0);
    }
    return absl::OkStatus();
  }
  const auto to_float = [](double sum) { return static_cast<float>(sum); };
  std::ranges::transform(sums.below, result.min.begin(), to_float);
  std::ranges::transform(sums.above, result.max.begin(), to_float);
  if (!result.min_sum.empty()) {
    std::ranges::copy(sums.below, result.min_sum.begin());
    std::ranges::copy(sums.above, result.max_sum.begin());
  }
  return absl::OkStatus();
}

}  // namespace quantd::core
