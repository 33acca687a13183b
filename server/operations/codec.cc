#include "server/operations/codec.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/parameter_layout.h"
#include "core/tensor_shape.h"
#include "server/operations/supported.h"
#include "wire/element_type.h"
#include "wire/split_message.h"

namespace quantd::server {
namespace {

using core::ErrorReason;

static_assert(std::endian::native == std::endian::little,
              "tensors travel in little endian and are used as they are");

absl::Status MissingTensor(std::string_view field) {
  const absl::string_view name = core::ToAbsl(field);
  return core::InvalidArgument(ErrorReason::kTensorSizeMismatch,
                               absl::StrCat(name, " is missing; expected a tensor: set ", name,
                                            " with data_type, shape and data"),
                               {.field = std::string(field)});
}

absl::Status MissingStorage(std::string_view field) {
  return core::InvalidArgument(
      ErrorReason::kTensorSizeMismatch,
      absl::StrCat(core::ToAbsl(field),
                   " has no elements; expected one of data or float_values: set data, to "
                   "empty bytes for an empty tensor"),
      {.field = std::string(field)});
}

absl::Status UnsupportedDataType(std::string_view field, v1::DataType type,
                                 core::OperationKind operation) {
  const std::string supported = SupportedInputTypes(operation);
  return core::InvalidArgument(
      ErrorReason::kUnsupportedDataType,
      absl::StrCat(core::ToAbsl(field), ".data_type is ", DataTypeName(type), "; expected one of ",
                   supported,
                   ": convert the elements to such a type, or set the type if they are of it"),
      {.field = absl::StrCat(core::ToAbsl(field), ".data_type"),
       .metadata = {{"data_type", absl::StrCat(static_cast<int>(type))},
                    {"supported", supported}}});
}

absl::Status NotFloatValues(std::string_view field, v1::DataType type) {
  const absl::string_view name = core::ToAbsl(field);
  return core::InvalidArgument(
      ErrorReason::kUnsupportedDataType,
      absl::StrCat(
          name, ".data_type is ", DataTypeName(type), " and ", name,
          ".float_values are float32; expected DATA_TYPE_FLOAT32: set it, or send elements "
          "of another type as bytes in data"),
      {.field = absl::StrCat(name, ".data_type"),
       .metadata = {{"data_type", absl::StrCat(static_cast<int>(type))},
                    {"supported", "float32"}}});
}

absl::Status SharedMemoryUnavailable(std::string_view field) {
  return core::InvalidArgument(
      ErrorReason::kSharedMemoryUnavailable,
      absl::StrCat(core::ToAbsl(field),
                   " lies in shared memory, which this server does not offer; expected data "
                   "or float_values: send the elements with the request"),
      {.field = absl::StrCat(core::ToAbsl(field), ".shared_memory")});
}

// Parsers do not keep more dimensions than show that there are too many.
absl::Status TooManyDimensions(std::string_view field) {
  return core::InvalidArgument(ErrorReason::kTensorSizeMismatch,
                               absl::StrCat(core::ToAbsl(field), ".shape has more than ",
                                            wire::kMaxRank, " dimensions; expected at most ",
                                            wire::kMaxRank, ": combine neighbouring dimensions"),
                               {.field = absl::StrCat(core::ToAbsl(field), ".shape"),
                                .metadata = {{"max_dimensions", absl::StrCat(wire::kMaxRank)}}});
}

// Checks that there are bytes for `count` elements of `type`.
absl::Status CheckElements(const ReceivedTensor& received, core::ElementType type,
                           std::size_t count) {
  const std::size_t size = received.elements->size();
  const std::size_t expected = core::ElementBytes(type, count);
  const bool fits = size == expected;
  switch (received.tensor->storage_case()) {
    case v1::Tensor::kData:
      return fits ? absl::OkStatus()
                  : core::WrongSize({.field = absl::StrCat(core::ToAbsl(received.field), ".data"),
                                     .size = size,
                                     .expected = expected,
                                     .unit = "bytes"});
    case v1::Tensor::kFloatValues:
      return fits ? absl::OkStatus()
                  : core::WrongSize(
                        {.field = absl::StrCat(core::ToAbsl(received.field), ".float_values"),
                         .size = core::ElementsIn(type, size),
                         .expected = count});
    case v1::Tensor::kSharedMemory:
      return SharedMemoryUnavailable(received.field);
    case v1::Tensor::STORAGE_NOT_SET:
      break;
  }
  return MissingStorage(received.field);
}

absl::StatusOr<core::TensorView> DecodeTensor(const ReceivedTensor& received,
                                              core::OperationKind operation) {
  const v1::Tensor& tensor = *received.tensor;
  const std::optional<core::ElementType> type = wire::ToElementType(tensor.data_type());
  if (!type.has_value() || !TakesType(operation, *type)) {
    return UnsupportedDataType(received.field, tensor.data_type(), operation);
  }
  if (tensor.has_float_values() && *type != core::ElementType::kFloat32) {
    return NotFloatValues(received.field, tensor.data_type());
  }
  const std::span<const std::int64_t> shape = AsSpan(tensor.shape());
  if (shape.size() > wire::kMaxRank) {
    return TooManyDimensions(received.field);
  }
  const absl::StatusOr<std::size_t> count = core::ElementCount(shape);
  if (!count.ok()) {
    return core::AtField(received.field, count.status());
  }
  RETURN_IF_ERROR(CheckElements(received, *type, *count));
  return core::TensorView(*type, shape, *received.elements);
}

// Shows enough dimensions for a message.
std::string ShapeText(std::span<const std::int64_t> shape) {
  constexpr std::size_t kShownDimensions = 8;
  const auto shown = shape.first(std::min(shape.size(), kShownDimensions));
  return absl::StrCat("[", absl::StrJoin(shown, ", "),
                      shape.size() > kShownDimensions ? ", …]" : "]");
}

// The property `what` of two tensors that must have it in common.
absl::Status Mismatch(absl::string_view what, const ReceivedTensor& first,
                      const std::string& first_value, const ReceivedTensor& other,
                      const std::string& other_value) {
  const std::string first_field(first.field);
  const std::string other_field(other.field);
  return core::InvalidArgument(
      ErrorReason::kShapeMismatch,
      absl::StrCat(other_field, ".", what, " is ", other_value, " and ", first_field, ".", what,
                   " is ", first_value, "; expected the same ", what, ": send ", first_field,
                   " and ", other_field, " that belong together"),
      {.field = absl::StrCat(other_field, ".", what),
       .metadata = {{first_field, first_value}, {other_field, other_value}}});
}

bool IsKnownType(v1::DataType type) {
  return v1::DataType_IsValid(type) && type != v1::DATA_TYPE_UNSPECIFIED;
}

// A type that is not known is reported as such, not as a mismatch.
absl::Status CheckSameType(const ReceivedTensor& first, const ReceivedTensor& other) {
  const v1::DataType first_type = first.tensor->data_type();
  const v1::DataType other_type = other.tensor->data_type();
  return IsKnownType(first_type) && IsKnownType(other_type) && first_type != other_type
             ? Mismatch("data_type", first, DataTypeName(first_type), other,
                        DataTypeName(other_type))
             : absl::OkStatus();
}

absl::Status CheckSameShape(const ReceivedTensor& first, const ReceivedTensor& other) {
  const std::span<const std::int64_t> first_shape = AsSpan(first.tensor->shape());
  const std::span<const std::int64_t> other_shape = AsSpan(other.tensor->shape());
  return std::ranges::equal(first_shape, other_shape)
             ? absl::OkStatus()
             : Mismatch("shape", first, ShapeText(first_shape), other, ShapeText(other_shape));
}

}  // namespace

absl::StatusOr<DecodedRequest> Decode(std::span<const ReceivedTensor> tensors,
                                      const ReceivedSettings& settings,
                                      const MethodTraits& method) {
  for (const ReceivedTensor& received : tensors) {
    if (received.tensor == nullptr) {
      return MissingTensor(received.field);
    }
  }
  DecodedRequest request;
  ASSIGN_OR_RETURN(request.settings, DecodeSettings(settings, method));
  for (const ReceivedTensor& received : tensors) {
    RETURN_IF_ERROR(CheckSameType(tensors.front(), received));
  }
  for (const ReceivedTensor& received : tensors) {
    ASSIGN_OR_RETURN(core::TensorView view, DecodeTensor(received, method.operation));
    request.inputs.push_back(std::move(view));
  }
  for (const ReceivedTensor& received : tensors) {
    RETURN_IF_ERROR(CheckSameShape(tensors.front(), received));
  }
  const core::TensorView& input = request.inputs.front();
  ASSIGN_OR_RETURN(request.element_count, core::ElementCount(input.shape));
  request.types = {.input = input.type,
                   .output = request.settings.output_type.value_or(input.type)};
  return request;
}

std::uint64_t DerivedParameterCount(const DecodedRequest& request) {
  const std::optional<core::DataRange>& data_range = request.settings.data_range;
  if (!data_range.has_value()) {
    return 0;
  }
  const absl::StatusOr<core::ParameterLayout> layout = core::MakeParameterLayout(
      request.inputs.front().shape,
      core::AffineParameters{
          .scale = {}, .axis = data_range->axis, .block_size = data_range->block_size});
  // A data range that does not fit the shape has no parameters, and is refused.
  return layout.ok() ? layout->parameter_count() : 0;
}

void EncodeNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message) {
  message.mutable_min()->Assign(range.min.begin(), range.min.end());
  message.mutable_max()->Assign(range.max.begin(), range.max.end());
  message.mutable_scale()->Assign(range.scale.begin(), range.scale.end());
  message.mutable_zero_point()->Assign(range.zero_point.begin(), range.zero_point.end());
}

void EncodeParameters(const core::UsedParameters& parameters, v1::AffineParameters& message) {
  message.mutable_scale()->Assign(parameters.scale.begin(), parameters.scale.end());
  message.mutable_zero_point()->Assign(parameters.zero_point.begin(), parameters.zero_point.end());
  if (parameters.axis.has_value()) {
    message.set_axis(*parameters.axis);
  }
  if (parameters.block_size.has_value()) {
    message.set_block_size(*parameters.block_size);
  }
}

}  // namespace quantd::server
