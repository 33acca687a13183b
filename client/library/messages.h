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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "core/quantization.h"
#include "quantd/v1/quantization_service.pb.h"

namespace quantd::client {

// What a request says besides its tensors. In a stream, what is missing is that
// of the request before.
struct RequestParameters {
  std::optional<core::Range> range;
  std::optional<core::QuantizationSpec> spec;
};

// Requests. Arguments are sent as they are: the server checks them.
//
// Errors: kResourceExhausted where memory does not suffice, or the range is
// larger than a message can be.
absl::StatusOr<grpc::ByteBuffer> EncodeFakeQuantizeRequest(const TensorView& input,
                                                           const RequestParameters& parameters);
absl::StatusOr<grpc::ByteBuffer> EncodeFakeQuantizeGradientRequest(
    const TensorView& gradients, const TensorView& inputs, const RequestParameters& parameters);

// The double sums of which min_gradient and max_gradient are the rounded ones.
struct RangeGradientSums {
  std::vector<double> min;
  std::vector<double> max;
  core::NudgedRange nudged_range;
};

// Take the answer to a request whose range had `channel_count` values and whose
// tensor had as many elements as `output`, and write the elements there.
//
// Errors: kInternal, naming the field, where a size is another, and where the
// answer is no such message.
absl::StatusOr<core::NudgedRange> DecodeFakeQuantizeResponse(const grpc::ByteBuffer& response,
                                                             std::size_t channel_count,
                                                             std::span<float> output);
absl::StatusOr<RangeGradients> DecodeFakeQuantizeGradientResponse(const grpc::ByteBuffer& response,
                                                                  std::size_t channel_count,
                                                                  std::span<float> output);
absl::StatusOr<RangeGradientSums> DecodeStreamedGradientResponse(const grpc::ByteBuffer& response,
                                                                 std::size_t channel_count,
                                                                 std::span<float> output);
ServerInfo DecodeResponse(const v1::GetServerInfoResponse& response);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_MESSAGES_H_
