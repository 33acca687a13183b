#include "client/library/tensor_call.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/library/parameters.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/fake_quantization.h"
#include "core/quantizer.h"
#include "core/tensor_shape.h"
#include "wire/operations.h"

namespace quantd::client {
namespace {

absl::Status CheckInput(std::string_view field, const TensorView& input) {
  const absl::StatusOr<std::size_t> count = core::ElementCount(input.shape);
  if (!count.ok()) {
    return core::AtField(field, count.status());
  }
  if (input.bytes.size() == core::ElementBytes(input.type, *count)) {
    return absl::OkStatus();
  }
  const bool has_whole_elements =
      !IsPacked(input.type) && input.bytes.size() % core::ElementBytes(input.type, 1) == 0;
  return core::WrongSize(
      {.field = absl::StrCat(core::ToAbsl(field), ".data"),
       .size = has_whole_elements ? input.element_count() : input.bytes.size(),
       .expected = has_whole_elements ? *count : core::ElementBytes(input.type, *count),
       .unit = has_whole_elements ? "elements" : "bytes",
       .advice = "pass all elements, or correct the shape"});
}

std::string ShapeText(std::span<const std::int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Checks that input `other` has the shape of the first one.
absl::Status CheckSameShape(std::string_view first_field, const TensorView& first,
                            std::string_view other_field, const TensorView& other) {
  if (std::ranges::equal(first.shape, other.shape)) {
    return absl::OkStatus();
  }
  const std::string first_name(first_field);
  const std::string other_name(other_field);
  const std::string first_shape = ShapeText(first.shape);
  const std::string other_shape = ShapeText(other.shape);
  return core::InvalidArgument(
      core::ErrorReason::kShapeMismatch,
      absl::StrCat(other_name, ".shape is ", other_shape, " and ", first_name, ".shape is ",
                   first_shape, "; expected the same shape: pass ", first_name, " and ", other_name,
                   " that belong together"),
      {.field = other_name + ".shape",
       .metadata = {{first_name, first_shape}, {other_name, other_shape}}});
}

template <typename Operation>
absl::Status CheckInputs(std::span<const TensorView> inputs) {
  assert(inputs.size() == Operation::kInputs.size());
  for (std::size_t i = 0; i < Operation::kInputs.size(); ++i) {
    RETURN_IF_ERROR(CheckInput(Operation::kInputs[i].name, inputs[i]));
  }
  for (std::size_t i = 1; i < Operation::kInputs.size(); ++i) {
    RETURN_IF_ERROR(CheckSameShape(Operation::kInputs[0].name, inputs[0],
                                   Operation::kInputs[i].name, inputs[i]));
  }
  return absl::OkStatus();
}

template <typename Operation>
absl::Status CheckOutput(const TensorCall& call, std::size_t element_count) {
  if (call.output.element_count() != element_count) {
    return core::WrongSize({.field = Operation::kOutput.name,
                            .size = call.output.element_count(),
                            .expected = element_count,
                            .advice = "pass an output of as many elements as the inputs"});
  }
  const core::ElementType expected = call.inputs.back().type;
  if (!wire::TakesOutputType<typename Operation::Request> && call.output.type() != expected) {
    const std::string field(Operation::kOutput.name);
    return core::InvalidArgument(
        core::ErrorReason::kUnsupportedDataType,
        absl::StrCat(field, " is of type ", core::ToAbsl(core::RowOf(call.output.type()).name),
                     "; expected ", core::ToAbsl(core::RowOf(expected).name),
                     ", as the inputs: pass an output of that type"),
        {.field = field});
  }
  return absl::OkStatus();
}

absl::Status CheckShapeBy(const auto& quantization, std::span<const std::int64_t> shape) {
  return quantization.ok() ? quantization->CheckShape(shape) : quantization.status();
}

}  // namespace

std::size_t TensorCall::size_bytes() const {
  std::size_t size = SizeInBytes(parameters);
  for (const TensorView& input : inputs) {
    size += input.bytes.size();
  }
  return std::max(size, output.size_bytes());
}

absl::Status CheckSizes(const TensorCall& call) {
  return wire::VisitOperation(call.operation, [&]<typename Operation>() -> absl::Status {
    RETURN_IF_ERROR(CheckInputs<Operation>(call.inputs));
    ASSIGN_OR_RETURN(const std::size_t element_count, core::ElementCount(call.shape()));
    return CheckOutput<Operation>(call, element_count);
  });
}

absl::Status CheckAsServer(const TensorCall& call) {
  const core::QuantizationParameters parameters = WithoutDataRange(call.parameters);
  const core::ElementType input = call.inputs.back().type;
  const core::ConversionTypes types{.input = input, .output = call.output.type()};
  switch (call.operation) {
    case wire::kOperationIndex<wire::FakeQuantizeGradient>:
      return CheckShapeBy(core::FakeQuantization::CreateForGradient(parameters, call.spec, input),
                          call.shape());
    case wire::kOperationIndex<wire::Quantize>:
      return CheckShapeBy(core::Quantizer::Create(parameters, call.spec, types), call.shape());
    case wire::kOperationIndex<wire::Dequantize>:
      return CheckShapeBy(core::Dequantizer::Create(parameters, call.spec, types), call.shape());
    default:
      return CheckShapeBy(core::FakeQuantization::Create(parameters, call.spec, input),
                          call.shape());
  }
}

RequestParameters AllParameters(const TensorCall& call) {
  return wire::VisitOperation(call.operation, [&]<typename Operation>() -> RequestParameters {
    return {.parameters = call.parameters,
            .spec = call.spec,
            .output_type = wire::TakesOutputType<typename Operation::Request>
                               ? std::optional(call.output.type())
                               : std::nullopt};
  });
}

}  // namespace quantd::client
