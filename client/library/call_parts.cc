#include "client/library/call_parts.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "client/library/parameters.h"
#include "core/base/element_type.h"
#include "core/numerics.h"
#include "core/resolved_spec.h"

namespace quantd::client {
namespace {

std::size_t BitsOf(core::ElementType type) { return core::RowOf(type).bits; }

// How many elements of the type begin with a byte of their own.
std::size_t AlignmentOf(core::ElementType type) {
  return std::max<std::size_t>(core::ElementsIn(type, 1), 1);
}

// Whether one channel among several is computed differently than on its own.
bool DependsOnChannelCount(const TensorCall& call) {
  const std::optional<core::RangeArithmetic>& arithmetic = core::RowOf(NumericsOf(call)).range;
  return std::holds_alternative<core::Range>(call.parameters) && arithmetic.has_value() &&
         (arithmetic->scale == core::ScaleRule::kMultiplyByInverseForSeveral ||
          arithmetic->simplifies_single_channel);
}

PartLimits LimitsOf(const TensorCall& call, std::size_t message_bytes) {
  PartLimits limits{.min_channels = DependsOnChannelCount(call) ? 2U : 1U};
  std::size_t bits = 0;
  for (const TensorView& input : call.inputs) {
    bits += BitsOf(input.type);
    limits.alignment = std::max(limits.alignment, AlignmentOf(input.type));
  }
  limits.alignment = std::max(limits.alignment, AlignmentOf(call.output.type()));
  bits = std::max(bits, BitsOf(call.output.type()));
  limits.max_elements = std::max<std::size_t>(message_bytes * 8 / bits, 1);
  return limits;
}

// The server refuses parameters of another size: there is nothing to cut them by.
bool HasParametersFor(const core::ParameterLayout& layout, const TensorCall& call) {
  const std::size_t count = layout.parameter_count();
  if (const auto* const range = std::get_if<core::Range>(&call.parameters)) {
    return range->min.size() == count && range->max.size() == count;
  }
  const auto& affine = *std::get_if<core::AffineParameters>(&call.parameters);
  return affine.scale.size() == count &&
         (affine.zero_point.empty() || affine.zero_point.size() == count);
}

}  // namespace

core::Numerics NumericsOf(const TensorCall& call) {
  return call.spec.numerics.value_or(std::holds_alternative<core::Range>(call.parameters)
                                         ? core::Numerics::kTensorFlow
                                         : core::Numerics::kOnnx);
}

CallParts::CallParts(const TensorCall& call, const core::ParameterLayout& layout,
                     std::size_t message_bytes)
    : layout_(layout),
      has_axis_(AxisOf(call.parameters).has_value()),
      first_(FirstOf(layout, has_axis_)),
      parts_(HasParametersFor(layout, call) ? layout : core::ParameterLayout{{.outer = 0}},
             has_axis_, LimitsOf(call, message_bytes)) {}

std::optional<TensorPart> CallParts::Next() {
  return first_.has_value() ? std::exchange(first_, std::nullopt) : parts_.Next();
}

std::optional<TensorPart> CallParts::FirstOf(const core::ParameterLayout& layout, bool has_axis) {
  return layout.has_blocks() ? std::nullopt : std::optional(EmptyPart(layout.channels, has_axis));
}

}  // namespace quantd::client
