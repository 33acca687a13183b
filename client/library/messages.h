// The client's codec: core types as messages of quantd.v1, and back. Nothing
// else in the client turns bytes into numbers. Elements are copied once: from
// the caller's memory to where they are sent from, and from where they were
// received to the caller's memory.

#ifndef QUANTD_CLIENT_LIBRARY_MESSAGES_H_
#define QUANTD_CLIENT_LIBRARY_MESSAGES_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"
#include "quantd/v1/quantization_service.pb.h"
#include "wire/methods.h"

namespace quantd::client {

// What a request says besides its tensors. In a stream, a value that is missing
// is that of the request before.
struct RequestParameters {
  std::optional<core::Range> range;
  std::optional<core::QuantizationSpec> spec;
};

// Encodes a request of the operation with this index in wire::Operations.
// `inputs` are those of the operation, in their order. Their elements lie in one
// piece or in several. Checks nothing: the server does.
//
// Errors: kResourceExhausted if memory does not suffice, or if a tensor or the
// range is larger than a message can be.
absl::StatusOr<grpc::ByteBuffer> EncodeRequest(std::size_t operation,
                                               std::span<const TensorView> inputs,
                                               const RequestParameters& parameters);

// What an answer says besides its tensor.
struct AnswerParameters {
  core::NudgedRange nudged_range;
  // The gradients with respect to the range, one per channel. Empty if the
  // operation does not differentiate the range. Values of a unary answer have
  // been rounded to float32; the sums of a stream's answer have not.
  std::vector<double> min_gradient;
  std::vector<double> max_gradient;
};

// Decodes the answer of a call or a stream to a request of the operation, whose
// range had `channel_count` values and whose tensors had as many elements as
// `output`. Writes the elements there.
//
// Errors: kInternal, naming the field, if a size or the type is not the
// expected one, or if the answer is not such a message.
absl::StatusOr<AnswerParameters> DecodeResponse(std::size_t operation, wire::Transfer transfer,
                                                const grpc::ByteBuffer& response,
                                                std::size_t channel_count,
                                                const core::OutputView& output);

ServerInfo DecodeServerInfo(const v1::GetServerInfoResponse& response);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_MESSAGES_H_
