#include "client/library/tensor_call.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/tensor_shape.h"
#include "wire/operations.h"

namespace quantd::client {
namespace {

absl::Status CheckInput(std::string_view field, const TensorView& input) {
  const absl::StatusOr<std::size_t> count = core::ElementCount(input.shape);
  if (!count.ok()) {
    return core::AtField(field, count.status());
  }
  if (input.element_count() != *count) {
    return core::WrongSize({.field = std::string(field) + ".data",
                            .size = input.element_count(),
                            .expected = *count,
                            .advice = "pass all elements, or correct the shape"});
  }
  return absl::OkStatus();
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

}  // namespace

std::size_t TensorCall::size_bytes() const {
  std::size_t size = range.min.size_bytes() + range.max.size_bytes();
  for (const TensorView& input : inputs) {
    size += input.bytes.size();
  }
  return size;
}

absl::Status CheckSizes(const TensorCall& call) {
  return wire::VisitOperation(call.operation, [&]<typename Operation>() -> absl::Status {
    RETURN_IF_ERROR(CheckInputs<Operation>(call.inputs));
    const std::size_t expected = call.inputs.front().element_count();
    if (call.output.element_count() != expected) {
      return core::WrongSize({.field = Operation::kOutput.name,
                              .size = call.output.element_count(),
                              .expected = expected,
                              .advice = "pass an output of as many elements as the inputs"});
    }
    return absl::OkStatus();
  });
}

}  // namespace quantd::client
