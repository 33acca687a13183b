// Requests and responses as core's types: the only place that knows both.

#ifndef QUANTD_SERVER_OPERATIONS_CODEC_H_
#define QUANTD_SERVER_OPERATIONS_CODEC_H_

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "core/base/scattered_bytes.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "wire/operations.h"
#include "wire/received_message.h"

namespace quantd::server {

// A tensor of a request, before it is checked.
struct ReceivedTensor {
  // The name of its field.
  std::string_view field;
  // Null if the request does not have it.
  const v1::Tensor* tensor;
  const core::ScatteredBytes* elements;
};

// What a request asks for. Refers to the messages that it was decoded from.
struct DecodedRequest {
  // All of one shape and type; each has as many elements as the shape says.
  absl::InlinedVector<core::TensorView, 2> inputs;
  core::Range range;
  core::QuantizationSpec spec;
};

// Checks everything about a request that core does not check:
//   UNSUPPORTED_DATA_TYPE      a type that is not set, unknown or not supported
//   TENSOR_SIZE_MISMATCH       no tensor, no storage, a bad shape, or another
//                              number of elements than the shape's
//   SHARED_MEMORY_UNAVAILABLE  a tensor in shared memory
//   SHAPE_MISMATCH             tensors of different shapes or types
//   RANGE_SIZE_MISMATCH        no range (`range` is null)
//   UNSUPPORTED_NUMERICS       numerics that this server does not know
// Errors name the field within the request.
absl::StatusOr<DecodedRequest> Decode(std::span<const ReceivedTensor> tensors,
                                      const v1::Range* range, const v1::QuantizationSpec& spec);

// The same for the tensors of an operation's request.
template <typename Request>
absl::StatusOr<DecodedRequest> Decode(const wire::ReceivedMessage<Request>& request,
                                      const v1::Range* range, const v1::QuantizationSpec& spec) {
  constexpr auto kFields = wire::kTensorFields<Request>;
  const Request& message = request.message();
  return [&]<std::size_t... indices>(std::index_sequence<indices...>) {
    const ReceivedTensor tensors[] = {
        {.field = kFields[indices].name,
         .tensor = (message.*kFields[indices].has)() ? &(message.*kFields[indices].get)() : nullptr,
         .elements = &request.elements(indices)}...};
    return Decode(tensors, range, spec);
  }
  (std::make_index_sequence<kFields.size()>());
}

void EncodeNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_CODEC_H_
