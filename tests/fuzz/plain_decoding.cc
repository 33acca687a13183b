#include "tests/fuzz/plain_decoding.h"

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace quantd::fuzz {
namespace {

// 2^63 bytes of 8 bytes each, less one: what ElementCount() promises.
constexpr std::uint64_t kMaxElements = (std::uint64_t{1} << 60) - 1;

absl::Status Refuse(std::string_view reason, std::string field) {
  return core::InvalidArgument(
      "refused", {.reason = std::string(reason), .field = std::move(field), .metadata = {}});
}

void AppendLittleEndian(float value, std::string& bytes) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>(bits >> shift));
  }
}

std::vector<float> FloatsOf(const std::string& bytes) {
  std::vector<float> floats;
  for (std::size_t i = 0; i + sizeof(float) <= bytes.size(); i += sizeof(float)) {
    float element = 0;
    std::memcpy(&element, bytes.data() + i, sizeof(float));
    floats.push_back(element);
  }
  return floats;
}

// The number of elements; a dimension of 0 makes it 0 only once all others are
// known to be in bounds.
absl::StatusOr<std::uint64_t> CountElements(const std::string& name,
                                            const std::vector<std::int64_t>& shape) {
  std::uint64_t product_of_others = 1;
  bool has_zero = false;
  bool too_many = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) {
      return Refuse("TENSOR_SIZE_MISMATCH", absl::StrCat(name, ".shape[", i, "]"));
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
    return Refuse("TENSOR_SIZE_MISMATCH", name + ".shape");
  }
  return has_zero ? 0 : product_of_others;
}

absl::StatusOr<PlainTensor> DecodeTensor(const std::string& name, const v1::Tensor& tensor) {
  if (tensor.data_type() != v1::DATA_TYPE_FLOAT32) {
    return Refuse("UNSUPPORTED_DATA_TYPE", name + ".data_type");
  }
  PlainTensor result{.shape = {tensor.shape().begin(), tensor.shape().end()}, .elements = {}};
  const absl::StatusOr<std::uint64_t> count = CountElements(name, result.shape);
  if (!count.ok()) {
    return count.status();
  }
  if (tensor.has_shared_memory()) {
    return Refuse("SHARED_MEMORY_UNAVAILABLE", name + ".shared_memory");
  }
  if (!tensor.has_data() && !tensor.has_float_values()) {
    return Refuse("TENSOR_SIZE_MISMATCH", name);
  }
  const std::string bytes = ElementBytes(tensor);
  if (bytes.size() != *count * sizeof(float)) {
    return Refuse("TENSOR_SIZE_MISMATCH", name + (tensor.has_data() ? ".data" : ".float_values"));
  }
  result.elements = FloatsOf(bytes);
  return result;
}

// Takes the range and the spec of the request or, where it has none, of the
// ones before it.
template <typename Request>
absl::Status DecodeQuantization(const Request& request, const server::RequestDefaults& defaults,
                                PlainArguments& result) {
  if (!request.has_range() && !defaults.range.has_value()) {
    return Refuse("RANGE_SIZE_MISMATCH", "range");
  }
  const v1::Range range = request.has_range() ? request.range() : *defaults.range;
  result.min.assign(range.min().begin(), range.min().end());
  result.max.assign(range.max().begin(), range.max().end());
  if (range.has_axis()) {
    result.axis = range.axis();
  }

  const v1::QuantizationSpec spec =
      request.has_spec() ? request.spec() : defaults.spec.value_or(v1::QuantizationSpec());
  if (spec.numerics() < 0 || spec.numerics() > 2) {
    return Refuse("UNSUPPORTED_NUMERICS", "spec.numerics");
  }
  result.spec = {.num_bits = spec.has_num_bits() ? spec.num_bits() : 8,
                 .narrow_range = spec.narrow_range(),
                 .numerics = spec.numerics() == v1::NUMERICS_TENSORFLOW_ARGS
                                 ? core::Numerics::kTensorFlowArgs
                                 : core::Numerics::kTensorFlow};
  return absl::OkStatus();
}

bool HasName(v1::DataType type) {
  return type >= v1::DATA_TYPE_FLOAT32 && type <= v1::DATA_TYPE_UINT4;
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

absl::StatusOr<PlainArguments> PlainDecode(const v1::FakeQuantizeRequest& request,
                                           const server::RequestDefaults& defaults) {
  if (!request.has_input()) {
    return Refuse("TENSOR_SIZE_MISMATCH", "input");
  }
  PlainArguments result;
  if (absl::Status status = DecodeQuantization(request, defaults, result); !status.ok()) {
    return status;
  }
  absl::StatusOr<PlainTensor> input = DecodeTensor("input", request.input());
  if (!input.ok()) {
    return input.status();
  }
  result.tensors.push_back(*std::move(input));
  return result;
}

absl::StatusOr<PlainArguments> PlainDecode(const v1::FakeQuantizeGradientRequest& request,
                                           const server::RequestDefaults& defaults) {
  if (!request.has_gradients()) {
    return Refuse("TENSOR_SIZE_MISMATCH", "gradients");
  }
  if (!request.has_inputs()) {
    return Refuse("TENSOR_SIZE_MISMATCH", "inputs");
  }
  PlainArguments result;
  if (absl::Status status = DecodeQuantization(request, defaults, result); !status.ok()) {
    return status;
  }
  const v1::DataType gradients_type = request.gradients().data_type();
  const v1::DataType inputs_type = request.inputs().data_type();
  if (HasName(gradients_type) && HasName(inputs_type) && gradients_type != inputs_type) {
    return Refuse("SHAPE_MISMATCH", "inputs.data_type");
  }
  for (const auto& [name, tensor] :
       {std::pair("gradients", &request.gradients()), std::pair("inputs", &request.inputs())}) {
    absl::StatusOr<PlainTensor> decoded = DecodeTensor(name, *tensor);
    if (!decoded.ok()) {
      return decoded.status();
    }
    result.tensors.push_back(*std::move(decoded));
  }
  if (result.tensors[0].shape != result.tensors[1].shape) {
    return Refuse("SHAPE_MISMATCH", "inputs.shape");
  }
  return result;
}

}  // namespace quantd::fuzz
