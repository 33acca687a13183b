#include "client/library/arguments.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "core/fake_quantization.h"

namespace quantd::client {
namespace {

// The error of core's as one of the tensor `name`: core does not know which it
// looks at.
absl::Status WithinTensor(absl::string_view name, const absl::Status& status) {
  core::ErrorDetail detail = core::GetErrorDetail(status).value_or(core::ErrorDetail{});
  detail.field = absl::StrCat(name, ".", detail.field);
  return core::MakeError(status.code(), absl::StrCat(name, ": ", status.message()), detail);
}

absl::Status CheckTensor(absl::string_view name, const TensorView& tensor) {
  const absl::StatusOr<std::size_t> count = core::ElementCount(tensor.shape);
  if (!count.ok()) {
    return WithinTensor(name, count.status());
  }
  if (*count == tensor.values.size()) {
    return absl::OkStatus();
  }
  return core::InvalidArgument(
      absl::StrCat(name, " has ", tensor.values.size(), " values; expected ", *count,
                   " for this shape: pass all elements, or correct the shape"),
      {.reason = std::string(core::reason::kTensorSizeMismatch),
       .field = absl::StrCat(name, ".data"),
       .metadata = {{"size", absl::StrCat(tensor.values.size())},
                    {"expected", absl::StrCat(*count)}}});
}

absl::Status CheckSameShape(const TensorView& gradients, const TensorView& inputs) {
  if (std::ranges::equal(gradients.shape, inputs.shape)) {
    return absl::OkStatus();
  }
  const std::string gradients_shape = absl::StrCat("[", absl::StrJoin(gradients.shape, ", "), "]");
  const std::string inputs_shape = absl::StrCat("[", absl::StrJoin(inputs.shape, ", "), "]");
  return core::InvalidArgument(
      absl::StrCat("inputs have the shape ", inputs_shape, " and gradients ", gradients_shape,
                   "; expected the same shape: pass the inputs that these gradients belong to"),
      {.reason = std::string(core::reason::kShapeMismatch),
       .field = "inputs.shape",
       .metadata = {{"gradients", gradients_shape}, {"inputs", inputs_shape}}});
}

absl::StatusOr<core::ChannelLayout> CheckRange(std::span<const std::int64_t> shape,
                                               const core::Range& range,
                                               const core::QuantizationSpec& spec) {
  const absl::Status status = core::FakeQuantization::Create(shape, range, spec).status();
  if (!status.ok()) {
    return status;
  }
  return core::MakeChannelLayout(shape, range.axis);
}

}  // namespace

absl::StatusOr<core::ChannelLayout> CheckArguments(const TensorView& input,
                                                   const core::Range& range,
                                                   const core::QuantizationSpec& spec) {
  const absl::Status status = CheckTensor("input", input);
  if (!status.ok()) {
    return status;
  }
  return CheckRange(input.shape, range, spec);
}

absl::StatusOr<core::ChannelLayout> CheckArguments(const TensorView& gradients,
                                                   const TensorView& inputs,
                                                   const core::Range& range,
                                                   const core::QuantizationSpec& spec) {
  absl::Status status = CheckTensor("gradients", gradients);
  status.Update(CheckTensor("inputs", inputs));
  status.Update(CheckSameShape(gradients, inputs));
  if (!status.ok()) {
    return status;
  }
  return CheckRange(inputs.shape, range, spec);
}

}  // namespace quantd::client
