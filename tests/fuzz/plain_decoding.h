// Requests decoded in the plain and slow way, from protobuf's generated classes
// and with copies: the codec must agree with it.

#ifndef QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_
#define QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/quantization.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "wire/operations.h"

namespace quantd::fuzz {

struct PlainTensor {
  v1::DataType data_type = v1::DATA_TYPE_UNSPECIFIED;
  std::vector<std::int64_t> shape;
  // Little endian.
  std::string elements;
};

struct PlainRequest {
  std::vector<PlainTensor> inputs;
  std::vector<float> min;
  std::vector<float> max;
  std::optional<std::int32_t> axis;
  core::QuantizationSpec spec;
};

// Decodes `request`, whose tensors are in the fields of these names, as
// server::Decode() does. Errors have its reasons and fields, but neither messages
// nor metadata.
absl::StatusOr<PlainRequest> PlainDecode(const google::protobuf::Message& request,
                                         const std::vector<std::string>& inputs,
                                         const v1::Range* range, const v1::QuantizationSpec& spec);

// The same for the request of an operation that inherits nothing.
template <typename Request>
absl::StatusOr<PlainRequest> PlainDecode(const Request& request) {
  std::vector<std::string> inputs;
  for (const wire::TensorField<Request>& field : wire::kTensorFields<Request>) {
    inputs.emplace_back(field.name);
  }
  return PlainDecode(request, inputs, request.has_range() ? &request.range() : nullptr,
                     request.spec());
}

// Returns the bytes of the elements that `tensor` has, whatever its shape.
std::string ElementBytes(const v1::Tensor& tensor);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_
