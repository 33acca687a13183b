#include "core/quantizer.h"

#include <cassert>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/data_range.h"
#include "core/operations/dequantize.h"
#include "core/operations/quantization_plan.h"
#include "core/operations/quantize.h"
#include "core/parameter_layout.h"

namespace quantd::core {
namespace {

// Checks that there are bytes for the elements of `layout`.
absl::Status CheckBytes(std::string_view field, ElementType type, std::size_t bytes,
                        const ParameterLayout& layout) {
  return CheckSize(field, bytes, ElementBytes(type, layout.element_count()));
}

}  // namespace

absl::StatusOr<Quantizer> Quantizer::Create(const QuantizationParameters& parameters,
                                            const QuantizationSpec& spec,
                                            const ConversionTypes& types) {
  ASSIGN_OR_RETURN(auto plan,
                   QuantizationPlan::Create(OperationKind::kQuantize, parameters, spec, types));
  return Quantizer(std::move(plan));
}

absl::StatusOr<Quantizer> Quantizer::CreateFromData(const DataRange& data_range,
                                                    const QuantizationSpec& spec,
                                                    const TensorView& input, ElementType output,
                                                    const Execution& execution) {
  ASSIGN_OR_RETURN(const ComputedParameters computed,
                   ComputeParameters(data_range, spec, input, output, execution));
  return Create(ViewOf(computed), spec, {input.type, output});
}

Numerics Quantizer::numerics() const { return plan_->spec().numerics; }

UsedParameters Quantizer::parameters() const { return plan_->used_parameters(); }

const NudgedRange* Quantizer::nudged_range() const {
  return plan_->nudged_range().has_value() ? &*plan_->nudged_range() : nullptr;
}

absl::Status Quantizer::CheckShape(std::span<const std::int64_t> shape) const {
  return plan_->LayoutOf(shape).status();
}

std::size_t Quantizer::channel_count() const { return plan_->channel_count(); }

std::size_t Quantizer::WorkingBytes(std::span<const std::int64_t> shape) const {
  return plan_->WorkingBytes(shape);
}

absl::Status Quantizer::Apply(const TensorView& input, const OutputView& output,
                              const Execution& execution) const {
  assert(input.type == plan_->types().input && output.type() == plan_->types().output);
  ASSIGN_OR_RETURN(const ParameterLayout layout, plan_->LayoutOf(input.shape));
  RETURN_IF_ERROR(CheckBytes("input", input.type, input.bytes.size(), layout));
  RETURN_IF_ERROR(CheckSize("output", output.element_count(), layout.element_count()));
  absl::Status status = Quantize(*plan_, layout, input, output, execution);
  RETURN_IF_ERROR(execution.CheckWanted());
  return status;
}

absl::StatusOr<Dequantizer> Dequantizer::Create(const QuantizationParameters& parameters,
                                                const QuantizationSpec& spec,
                                                const ConversionTypes& types) {
  ASSIGN_OR_RETURN(auto plan,
                   QuantizationPlan::Create(OperationKind::kDequantize, parameters, spec, types));
  return Dequantizer(std::move(plan));
}

Numerics Dequantizer::numerics() const { return plan_->spec().numerics; }

absl::Status Dequantizer::CheckShape(std::span<const std::int64_t> shape) const {
  return plan_->LayoutOf(shape).status();
}

std::size_t Dequantizer::channel_count() const { return plan_->channel_count(); }

std::size_t Dequantizer::WorkingBytes(std::span<const std::int64_t> shape) const {
  return plan_->WorkingBytes(shape);
}

absl::Status Dequantizer::Apply(const TensorView& input, const OutputView& output,
                                const Execution& execution) const {
  assert(input.type == plan_->types().input && output.type() == plan_->types().output);
  ASSIGN_OR_RETURN(const ParameterLayout layout, plan_->LayoutOf(input.shape));
  RETURN_IF_ERROR(CheckBytes("input", input.type, input.bytes.size(), layout));
  RETURN_IF_ERROR(CheckSize("output", output.element_count(), layout.element_count()));
  Dequantize(*plan_, layout, input, output, execution);
  return execution.CheckWanted();
}

}  // namespace quantd::core
