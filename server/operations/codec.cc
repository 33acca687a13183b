#include "server/operations/codec.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "core/tensor_shape.h"

namespace quantd::server {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors travel in little endian and are used as they are");

template <typename T>
std::span<const T> AsSpan(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

// The numbers of protobuf's enums, for messages: a name where there is one.
std::string DataTypeName(v1::DataType type) {
  return v1::DataType_IsValid(type) ? v1::DataType_Name(type)
                                    : absl::StrCat("the unknown number ", static_cast<int>(type));
}

// The error as one of the field `name`: core does not know which tensor of a
// request it looks at.
absl::Status WithinField(absl::string_view name, const absl::Status& status) {
  core::ErrorDetail detail = core::GetErrorDetail(status).value_or(core::ErrorDetail{});
  detail.field = absl::StrCat(name, ".", detail.field);
  return core::MakeError(status.code(), absl::StrCat(name, ": ", status.message()), detail);
}

absl::Status NoTensor(absl::string_view name) {
  return core::InvalidArgument(absl::StrCat(name, " is missing; expected a tensor: set ", name,
                                            " with data_type, shape and data"),
                               {.reason = std::string(core::reason::kTensorSizeMismatch),
                                .field = std::string(name),
                                .metadata = {}});
}

absl::Status NoStorage(absl::string_view name) {
  return core::InvalidArgument(
      absl::StrCat(name,
                   " has no elements; expected one of data or float_values: set data, to "
                   "empty bytes for an empty tensor"),
      {.reason = std::string(core::reason::kTensorSizeMismatch),
       .field = std::string(name),
       .metadata = {}});
}

absl::Status UnsupportedDataType(absl::string_view name, v1::DataType type) {
  return core::InvalidArgument(
      absl::StrCat(name, ".data_type is ", DataTypeName(type),
                   "; expected DATA_TYPE_FLOAT32: convert the elements to float32, or set the "
                   "type if they are"),
      {.reason = std::string(core::reason::kUnsupportedDataType),
       .field = absl::StrCat(name, ".data_type"),
       .metadata = {{"data_type", absl::StrCat(static_cast<int>(type))},
                    {"supported", v1::DataType_Name(v1::DATA_TYPE_FLOAT32)}}});
}

absl::Status SizeMismatch(absl::string_view field, absl::string_view unit, std::size_t size,
                          std::size_t expected) {
  return core::InvalidArgument(
      absl::StrCat(field, " has ", size, " ", unit, "; expected ", expected,
                   " for this shape and type: send all elements, or correct the shape"),
      {.reason = std::string(core::reason::kTensorSizeMismatch),
       .field = std::string(field),
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(expected)}}});
}

absl::Status SharedMemoryUnavailable(absl::string_view name) {
  return core::InvalidArgument(
      absl::StrCat(name,
                   " lies in shared memory, which this server does not offer; expected data "
                   "or float_values: send the elements with the request"),
      {.reason = std::string(core::reason::kSharedMemoryUnavailable),
       .field = absl::StrCat(name, ".shared_memory"),
       .metadata = {}});
}

absl::Status CheckDataType(absl::string_view name, v1::DataType type) {
  return std::ranges::find(kSupportedDataTypes, type) != std::end(kSupportedDataTypes)
             ? absl::OkStatus()
             : UnsupportedDataType(name, type);
}

// That `tensor` has `count` elements, which lie in `bytes`.
absl::Status CheckElements(absl::string_view name, const v1::Tensor& tensor,
                           const wire::TensorBytes& bytes, std::size_t count) {
  switch (tensor.storage_case()) {
    case v1::Tensor::kData:
      return bytes.size() == count * sizeof(float)
                 ? absl::OkStatus()
                 : SizeMismatch(absl::StrCat(name, ".data"), "bytes", bytes.size(),
                                count * sizeof(float));
    case v1::Tensor::kFloatValues:
      return bytes.size() == count * sizeof(float)
                 ? absl::OkStatus()
                 : SizeMismatch(absl::StrCat(name, ".float_values"), "elements",
                                bytes.size() / sizeof(float), count);
    case v1::Tensor::kSharedMemory:
      return SharedMemoryUnavailable(name);
    case v1::Tensor::STORAGE_NOT_SET:
      break;
  }
  return NoStorage(name);
}

absl::StatusOr<FloatTensor> DecodeTensor(absl::string_view name, const v1::Tensor& tensor,
                                         const wire::TensorBytes& bytes) {
  if (absl::Status status = CheckDataType(name, tensor.data_type()); !status.ok()) {
    return status;
  }
  const std::span<const std::int64_t> shape = AsSpan(tensor.shape());
  const absl::StatusOr<std::size_t> count = core::ElementCount(shape);
  if (!count.ok()) {
    return WithinField(name, count.status());
  }
  if (absl::Status status = CheckElements(name, tensor, bytes, *count); !status.ok()) {
    return status;
  }
  return FloatTensor{.shape = shape, .elements = core::ScatteredElements(bytes.pieces())};
}

absl::StatusOr<core::Range> DecodeRange(const v1::Range* range) {
  if (range == nullptr) {
    return core::InvalidArgument(
        "range is missing; expected one min and one max, or one of each a channel: set range",
        {.reason = std::string(core::reason::kRangeSizeMismatch),
         .field = "range",
         .metadata = {}});
  }
  return core::Range{
      .min = AsSpan(range->min()),
      .max = AsSpan(range->max()),
      .axis = range->has_axis() ? std::optional<std::int32_t>(range->axis()) : std::nullopt};
}

absl::StatusOr<core::Numerics> DecodeNumerics(v1::Numerics numerics) {
  switch (numerics) {
    case v1::NUMERICS_UNSPECIFIED:
    case v1::NUMERICS_TENSORFLOW:
      return core::Numerics::kTensorFlow;
    case v1::NUMERICS_TENSORFLOW_ARGS:
      return core::Numerics::kTensorFlowArgs;
    default:
      return core::InvalidArgument(
          absl::StrCat("spec.numerics is the unknown number ", static_cast<int>(numerics),
                       "; expected NUMERICS_TENSORFLOW or NUMERICS_TENSORFLOW_ARGS: choose one of "
                       "these, or a server that knows this one"),
          {.reason = std::string(core::reason::kUnsupportedNumerics),
           .field = "spec.numerics",
           .metadata = {{"numerics", absl::StrCat(static_cast<int>(numerics))}}});
  }
}

absl::StatusOr<core::QuantizationSpec> DecodeSpec(const v1::QuantizationSpec& message) {
  const absl::StatusOr<core::Numerics> numerics = DecodeNumerics(message.numerics());
  if (!numerics.ok()) {
    return numerics.status();
  }
  core::QuantizationSpec spec;
  if (message.has_num_bits()) {
    spec.num_bits = message.num_bits();
  }
  spec.narrow_range = message.narrow_range();
  spec.numerics = *numerics;
  return spec;
}

struct Quantization {
  core::Range range;
  core::QuantizationSpec spec;
};

// Of any request with a range and a spec.
template <typename Request>
absl::StatusOr<Quantization> DecodeQuantization(const Request& request,
                                                const RequestDefaults& defaults) {
  const v1::Range* const inherited = defaults.range.has_value() ? &*defaults.range : nullptr;
  const absl::StatusOr<core::Range> range =
      DecodeRange(request.has_range() ? &request.range() : inherited);
  if (!range.ok()) {
    return range.status();
  }
  const bool inherits_spec = !request.has_spec() && defaults.spec.has_value();
  const absl::StatusOr<core::QuantizationSpec> spec =
      DecodeSpec(inherits_spec ? *defaults.spec : request.spec());
  if (!spec.ok()) {
    return spec.status();
  }
  return Quantization{.range = *range, .spec = *spec};
}

// Shapes are a client's: any length. Enough of one for a message.
std::string ShapeText(std::span<const std::int64_t> shape) {
  constexpr std::size_t kShownDimensions = 8;
  const auto shown = shape.first(std::min(shape.size(), kShownDimensions));
  return absl::StrCat("[", absl::StrJoin(shown, ", "),
                      shape.size() > kShownDimensions ? ", …]" : "]");
}

absl::Status DifferentTypes(v1::DataType gradients, v1::DataType inputs) {
  return core::InvalidArgument(
      absl::StrCat("inputs are of ", DataTypeName(inputs), " and gradients of ",
                   DataTypeName(gradients),
                   "; expected the same type: convert both to DATA_TYPE_FLOAT32"),
      {.reason = std::string(core::reason::kShapeMismatch),
       .field = "inputs.data_type",
       .metadata = {{"gradients", DataTypeName(gradients)}, {"inputs", DataTypeName(inputs)}}});
}

absl::Status DifferentShapes(std::span<const std::int64_t> gradients,
                             std::span<const std::int64_t> inputs) {
  const std::string gradients_text = ShapeText(gradients);
  const std::string inputs_text = ShapeText(inputs);
  return core::InvalidArgument(
      absl::StrCat("inputs have the shape ", inputs_text, " and gradients ", gradients_text,
                   "; expected the same shape: send the inputs that these gradients belong to"),
      {.reason = std::string(core::reason::kShapeMismatch),
       .field = "inputs.shape",
       .metadata = {{"gradients", gradients_text}, {"inputs", inputs_text}}});
}

bool IsKnownType(v1::DataType type) {
  return v1::DataType_IsValid(type) && type != v1::DATA_TYPE_UNSPECIFIED;
}

absl::Status CheckSameType(v1::DataType gradients, v1::DataType inputs) {
  return IsKnownType(gradients) && IsKnownType(inputs) && gradients != inputs
             ? DifferentTypes(gradients, inputs)
             : absl::OkStatus();
}

}  // namespace

absl::StatusOr<FakeQuantizeArguments> Decode(
    const wire::ReceivedMessage<v1::FakeQuantizeRequest>& request,
    const RequestDefaults& defaults) {
  const v1::FakeQuantizeRequest& message = request.message();
  if (!message.has_input()) {
    return NoTensor("input");
  }
  const absl::StatusOr<Quantization> quantization = DecodeQuantization(message, defaults);
  if (!quantization.ok()) {
    return quantization.status();
  }
  absl::StatusOr<FloatTensor> input = DecodeTensor("input", message.input(), request.elements(0));
  if (!input.ok()) {
    return input.status();
  }
  return FakeQuantizeArguments{
      .input = *std::move(input), .range = quantization->range, .spec = quantization->spec};
}

absl::StatusOr<FakeQuantizeGradientArguments> Decode(
    const wire::ReceivedMessage<v1::FakeQuantizeGradientRequest>& request,
    const RequestDefaults& defaults) {
  const v1::FakeQuantizeGradientRequest& message = request.message();
  if (!message.has_gradients() || !message.has_inputs()) {
    return NoTensor(message.has_gradients() ? "inputs" : "gradients");
  }
  const absl::StatusOr<Quantization> quantization = DecodeQuantization(message, defaults);
  if (!quantization.ok()) {
    return quantization.status();
  }
  if (absl::Status status =
          CheckSameType(message.gradients().data_type(), message.inputs().data_type());
      !status.ok()) {
    return status;
  }
  absl::StatusOr<FloatTensor> gradients =
      DecodeTensor("gradients", message.gradients(), request.elements(0));
  if (!gradients.ok()) {
    return gradients.status();
  }
  absl::StatusOr<FloatTensor> inputs =
      DecodeTensor("inputs", message.inputs(), request.elements(1));
  if (!inputs.ok()) {
    return inputs.status();
  }
  if (!std::ranges::equal(gradients->shape, inputs->shape)) {
    return DifferentShapes(gradients->shape, inputs->shape);
  }
  return FakeQuantizeGradientArguments{.gradients = *std::move(gradients),
                                       .inputs = *std::move(inputs),
                                       .range = quantization->range,
                                       .spec = quantization->spec};
}

void EncodeNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message) {
  message.mutable_min()->Assign(range.min.begin(), range.min.end());
  message.mutable_max()->Assign(range.max.begin(), range.max.end());
  message.mutable_scale()->Assign(range.scale.begin(), range.scale.end());
  message.mutable_zero_point()->Assign(range.zero_point.begin(), range.zero_point.end());
}

}  // namespace quantd::server
