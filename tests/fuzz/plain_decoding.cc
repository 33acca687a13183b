#include "tests/fuzz/plain_decoding.h"

#include <google/protobuf/descriptor.h>

#include <bit>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/element_type.h"
#include "core/base/error.h"
#include "core/base/error_reason.h"
#include "core/base/status_macros.h"
#include "wire/element_type.h"

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

// Returns the tensor in field `name`, or null if it is missing.
const v1::Tensor* FindTensor(const google::protobuf::Message& request, const std::string& name) {
  const auto* const field = request.GetDescriptor()->FindFieldByName(name);
  return request.GetReflection()->HasField(request, field)
             ? &dynamic_cast<const v1::Tensor&>(request.GetReflection()->GetMessage(request, field))
             : nullptr;
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

absl::StatusOr<PlainTensor> DecodeTensor(const std::string& name, const v1::Tensor& tensor) {
  const std::optional<core::ElementType> type = wire::ToElementType(tensor.data_type());
  if (!type.has_value()) {
    return Refuse(ErrorReason::kUnsupportedDataType, name + ".data_type");
  }
  PlainTensor result{.data_type = tensor.data_type(),
                     .shape = {tensor.shape().begin(), tensor.shape().end()},
                     .elements = ElementBytes(tensor)};
  ASSIGN_OR_RETURN(const std::uint64_t count, CountElements(name, result.shape));
  if (tensor.has_shared_memory()) {
    return Refuse(ErrorReason::kSharedMemoryUnavailable, name + ".shared_memory");
  }
  if (!tensor.has_data() && !tensor.has_float_values()) {
    return Refuse(ErrorReason::kTensorSizeMismatch, name);
  }
  if (result.elements.size() != count * core::ElementBytes(*type)) {
    return Refuse(ErrorReason::kTensorSizeMismatch,
                  name + (tensor.has_data() ? ".data" : ".float_values"));
  }
  return result;
}

absl::Status DecodeRange(const v1::Range* range, PlainRequest& result) {
  if (range == nullptr) {
    return Refuse(ErrorReason::kRangeSizeMismatch, "range");
  }
  result.min.assign(range->min().begin(), range->min().end());
  result.max.assign(range->max().begin(), range->max().end());
  if (range->has_axis()) {
    result.axis = range->axis();
  }
  return absl::OkStatus();
}

absl::Status DecodeSpec(const v1::QuantizationSpec& spec, PlainRequest& result) {
  if (spec.numerics() < 0 || spec.numerics() > 2) {
    return Refuse(ErrorReason::kUnsupportedNumerics, "spec.numerics");
  }
  result.spec = {.num_bits = spec.has_num_bits() ? spec.num_bits() : 8,
                 .narrow_range = spec.narrow_range(),
                 .numerics = spec.numerics() == v1::NUMERICS_TENSORFLOW_ARGS
                                 ? core::Numerics::kTensorFlowArgs
                                 : core::Numerics::kTensorFlow};
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
                                         const std::vector<std::string>& inputs,
                                         const v1::Range* range, const v1::QuantizationSpec& spec) {
  std::vector<const v1::Tensor*> tensors;
  for (const std::string& name : inputs) {
    tensors.push_back(FindTensor(request, name));
    if (tensors.back() == nullptr) {
      return Refuse(ErrorReason::kTensorSizeMismatch, name);
    }
  }
  PlainRequest result;
  RETURN_IF_ERROR(DecodeRange(range, result));
  RETURN_IF_ERROR(DecodeSpec(spec, result));
  const v1::DataType type = tensors[0]->data_type();
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    const v1::DataType other = tensors[i]->data_type();
    if (IsInSchema(type) && IsInSchema(other) && type != other) {
      return Refuse(ErrorReason::kShapeMismatch, inputs[i] + ".data_type");
    }
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    ASSIGN_OR_RETURN(PlainTensor tensor, DecodeTensor(inputs[i], *tensors[i]));
    result.inputs.push_back(std::move(tensor));
  }
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    if (result.inputs[i].shape != result.inputs[0].shape) {
      return Refuse(ErrorReason::kShapeMismatch, inputs[i] + ".shape");
    }
  }
  return result;
}

}  // namespace quantd::fuzz
