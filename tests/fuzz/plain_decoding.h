// Requests decoded in the plain and slow way, from protobuf's generated classes
// and with copies: the codec must agree with it.

#ifndef QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_
#define QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/support.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "server/operations/operation_kind.h"
#include "wire/methods.h"
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
  std::uint64_t element_count = 0;
  // One of these.
  std::optional<v1::Range> range;
  std::optional<v1::AffineParameters> affine;
  std::optional<v1::DataRange> data_range;
  v1::QuantizationSpec spec;
  // That of the inputs if the request cannot say it.
  v1::DataType output_type = v1::DATA_TYPE_UNSPECIFIED;
};

// What to decode a request for.
struct PlainMethod {
  core::OperationKind operation;
  wire::Transfer transfer;
  // The names of the fields that have its tensors.
  std::vector<std::string> inputs;
};

// Decodes `request`, which inherits nothing, as server::Decode() does. Errors have its
// reasons and fields, but neither messages nor metadata.
absl::StatusOr<PlainRequest> PlainDecode(const google::protobuf::Message& request,
                                         const PlainMethod& method);

template <typename Operation>
absl::StatusOr<PlainRequest> PlainDecode(const typename Operation::Request& request,
                                         wire::Transfer transfer) {
  PlainMethod method{
      .operation = server::kOperationKind<Operation>, .transfer = transfer, .inputs = {}};
  for (const auto& field : Operation::kInputs) {
    method.inputs.emplace_back(field.name);
  }
  return PlainDecode(request, method);
}

// Returns the bytes of the elements that `tensor` has, whatever its shape.
std::string ElementBytes(const v1::Tensor& tensor);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_
