#include "tests/fuzz/plain_decoding.h"

#include <google/protobuf/descriptor.h>

#include <bit>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/error_reason.h"
#include "core/base/status_macros.h"

namespace quantd::fuzz {
namespace {

using core::ErrorReason;

// core::ElementCount() accepts as many elements of 8 bytes as 63 bits can count
// the bytes of.
constexpr std::uint64_t kMaxElements = (std::uint64_t{1} << 60) - 1;

absl::Status Refuse(ErrorReason reason, std::string field) {
  return core::InvalidArgument(reason, "refused", {.field = std::move(field)});
}

void AppendLittleEndian(float value, std::string& bytes) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>(bits >> shift));
  }
}

// Returns the message in field `name`, or null if it is missing or not in the schema.
template <typename Field>
const Field* Find(const google::protobuf::Message& request, const std::string& name) {
  const auto* const field = request.GetDescriptor()->FindFieldByName(name);
  return field != nullptr && request.GetReflection()->HasField(request, field)
             ? &dynamic_cast<const Field&>(request.GetReflection()->GetMessage(request, field))
             : nullptr;
}

template <typename Field>
std::optional<Field> Copy(const Field* field) {
  return field != nullptr ? std::optional(*field) : std::nullopt;
}

// Returns the number of elements. A dimension of 0 makes it 0 only if all other
// dimensions are within bounds.
absl::StatusOr<std::uint64_t> CountElements(const std::string& name,
                                            const std::vector<std::int64_t>& shape) {
  std::uint64_t product_of_others = 1;
  bool has_zero = false;
  bool too_many = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) {
      return Refuse(ErrorReason::kTensorSizeMismatch, absl::StrCat(name, ".shape[", i, "]"));
    }
    if (shape[i] == 0) {
      has_zero = true;
      continue;
    }
    std::uint64_t product = 0;
    too_many =
        __builtin_mul_overflow(product_of_others, static_cast<std::uint64_t>(shape[i]), &product) ||
        product > kMaxElements || too_many;
    product_of_others = too_many ? 1 : product;
  }
  if (too_many) {
    return Refuse(ErrorReason::kTensorSizeMismatch, name + ".shape");
  }
  return has_zero ? 0 : product_of_others;
}

// Returns how many bits an element has; 0 for a type that is not in the schema.
std::uint64_t BitsOf(v1::DataType type) {
  switch (type) {
    case v1::DATA_TYPE_INT2:
    case v1::DATA_TYPE_UINT2:
      return 2;
    case v1::DATA_TYPE_INT4:
    case v1::DATA_TYPE_UINT4:
      return 4;
    case v1::DATA_TYPE_INT8:
    case v1::DATA_TYPE_UINT8:
      return 8;
    case v1::DATA_TYPE_FLOAT16:
    case v1::DATA_TYPE_BFLOAT16:
    case v1::DATA_TYPE_INT16:
    case v1::DATA_TYPE_UINT16:
      return 16;
    case v1::DATA_TYPE_FLOAT32:
    case v1::DATA_TYPE_INT32:
      return 32;
    case v1::DATA_TYPE_FLOAT64:
      return 64;
    default:
      return 0;
  }
}

constexpr int kMaxRank = 64;

bool IsTaken(core::OperationKind operation, v1::DataType type) {
  const bool is_code = type >= v1::DATA_TYPE_INT8;
  return BitsOf(type) != 0 && (operation == core::OperationKind::kDequantize
                                   ? is_code
                                   : !is_code && (type != v1::DATA_TYPE_FLOAT64 ||
                                                  operation != core::OperationKind::kQuantize));
}

absl::StatusOr<PlainTensor> DecodeTensor(const std::string& name, const v1::Tensor& tensor,
                                         core::OperationKind operation) {
  const v1::DataType type = tensor.data_type();
  if (!IsTaken(operation, type) || (tensor.has_float_values() && type != v1::DATA_TYPE_FLOAT32)) {
    return Refuse(ErrorReason::kUnsupportedDataType, name + ".data_type");
  }
  if (tensor.shape_size() > kMaxRank) {
    return Refuse(ErrorReason::kTensorSizeMismatch, name + ".shape");
  }
  PlainTensor result{.data_type = type,
                     .shape = {tensor.shape().begin(), tensor.shape().end()},
                     .elements = ElementBytes(tensor)};
  ASSIGN_OR_RETURN(const std::uint64_t count, CountElements(name, result.shape));
  if (tensor.has_shared_memory()) {
    return Refuse(ErrorReason::kSharedMemoryUnavailable, name + ".shared_memory");
  }
  if (!tensor.has_data() && !tensor.has_float_values()) {
    return Refuse(ErrorReason::kTensorSizeMismatch, name);
  }
  const std::uint64_t bits = BitsOf(type);
  if (result.elements.size() != (bits < 8 ? (count * bits + 7) / 8 : count * (bits / 8))) {
    return Refuse(ErrorReason::kTensorSizeMismatch,
                  name + (tensor.has_data() ? ".data" : ".float_values"));
  }
  return result;
}

absl::Status DecodeParameters(const google::protobuf::Message& request, const PlainMethod& method,
                              PlainRequest& result) {
  result.range = Copy(Find<v1::Range>(request, "range"));
  result.affine = Copy(Find<v1::AffineParameters>(request, "affine"));
  result.data_range = Copy(Find<v1::DataRange>(request, "data_range"));
  std::vector<std::string> given;
  if (result.range.has_value()) {
    given.emplace_back("range");
  }
  if (result.affine.has_value()) {
    given.emplace_back("affine");
  }
  if (result.data_range.has_value()) {
    given.emplace_back("data_range");
  }
  if (given.size() != 1) {
    return Refuse(ErrorReason::kParametersMismatch, given.empty() ? "range" : given.back());
  }
  return result.data_range.has_value() && method.transfer == wire::Transfer::kStream
             ? Refuse(ErrorReason::kParametersMismatch, "data_range")
             : absl::OkStatus();
}

absl::Status DecodeSpec(const google::protobuf::Message& request, PlainRequest& result) {
  result.spec = Copy(Find<v1::QuantizationSpec>(request, "spec")).value_or(v1::QuantizationSpec());
  if (v1::Numerics_descriptor()->FindValueByNumber(result.spec.numerics()) == nullptr) {
    return Refuse(ErrorReason::kUnsupportedNumerics, "spec.numerics");
  }
  if (v1::DataType_descriptor()->FindValueByNumber(result.spec.precision()) == nullptr) {
    return Refuse(ErrorReason::kUnsupportedDataType, "spec.precision");
  }
  return v1::Rounding_descriptor()->FindValueByNumber(result.spec.rounding()) == nullptr
             ? Refuse(ErrorReason::kUnsupportedNumerics, "spec.rounding")
             : absl::OkStatus();
}

// Sets the type of the output if requests of the operation say it.
absl::Status DecodeOutputType(const google::protobuf::Message& request, const PlainMethod& method,
                              PlainRequest& result) {
  const auto* const field = request.GetDescriptor()->FindFieldByName("output_type");
  if (field == nullptr) {
    return absl::OkStatus();
  }
  const int number = request.GetReflection()->GetEnumValue(request, field);
  if (v1::DataType_descriptor()->FindValueByNumber(number) == nullptr) {
    return Refuse(ErrorReason::kUnsupportedDataType, "output_type");
  }
  const v1::DataType by_default = method.operation == core::OperationKind::kQuantize
                                      ? v1::DATA_TYPE_UINT8
                                      : v1::DATA_TYPE_FLOAT32;
  result.output_type = number == 0 ? by_default : static_cast<v1::DataType>(number);
  return absl::OkStatus();
}

bool IsInSchema(v1::DataType type) {
  return type != v1::DATA_TYPE_UNSPECIFIED &&
         v1::DataType_descriptor()->FindValueByNumber(type) != nullptr;
}

}  // namespace

std::string ElementBytes(const v1::Tensor& tensor) {
  if (!tensor.has_float_values()) {
    return tensor.data();
  }
  std::string bytes;
  for (const float value : tensor.float_values().values()) {
    AppendLittleEndian(value, bytes);
  }
  return bytes;
}

absl::StatusOr<PlainRequest> PlainDecode(const google::protobuf::Message& request,
                                         const PlainMethod& method) {
  const std::vector<std::string>& inputs = method.inputs;
  std::vector<const v1::Tensor*> tensors;
  for (const std::string& name : inputs) {
    tensors.push_back(Find<v1::Tensor>(request, name));
    if (tensors.back() == nullptr) {
      return Refuse(ErrorReason::kTensorSizeMismatch, name);
    }
  }
  PlainRequest result;
  RETURN_IF_ERROR(DecodeParameters(request, method, result));
  RETURN_IF_ERROR(DecodeSpec(request, result));
  RETURN_IF_ERROR(DecodeOutputType(request, method, result));
  const v1::DataType type = tensors[0]->data_type();
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const v1::DataType other = tensors[i]->data_type();
    if (IsInSchema(type) && IsInSchema(other) && type != other) {
      return Refuse(ErrorReason::kShapeMismatch, inputs[i] + ".data_type");
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    ASSIGN_OR_RETURN(PlainTensor tensor, DecodeTensor(inputs[i], *tensors[i], method.operation));
    result.inputs.push_back(std::move(tensor));
  }
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    if (result.inputs[i].shape != result.inputs[0].shape) {
      return Refuse(ErrorReason::kShapeMismatch, inputs[i] + ".shape");
    }
  }
  ASSIGN_OR_RETURN(result.element_count, CountElements(inputs[0], result.inputs[0].shape));
  if (result.output_type == v1::DATA_TYPE_UNSPECIFIED) {
    result.output_type = type;
  }
  return result;
}

}  // namespace quantd::fuzz
