// The client's codec: core types as messages of quantd.v1, and back. Nothing
// else in the client turns bytes into numbers.

#ifndef QUANTD_CLIENT_MESSAGES_H_
#define QUANTD_CLIENT_MESSAGES_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "core/quantization.h"
#include "quantd/v1/quantization_service.pb.h"

namespace quantd::client {

// Whether a request with these arguments fits into one protobuf message, which
// is at most 2 GiB - 1 byte. `value_count` counts the elements of all its
// tensors, `dimension_count` their dimensions and `channel_count` the values of
// range.min and range.max, whichever is more.
//
// Errors: MESSAGE_TOO_LARGE, kResourceExhausted.
absl::Status CheckMessageSize(std::size_t value_count, std::size_t dimension_count,
                              std::size_t channel_count);

// Fill an empty `request`, copying the elements. Arguments are sent as they
// are: the server checks them. The arguments fit (CheckMessageSize()).
void EncodeRequest(const TensorView& input, const core::Range& range,
                   const core::QuantizationSpec& spec, v1::FakeQuantizeRequest* request);
void EncodeRequest(const TensorView& gradients, const TensorView& inputs, const core::Range& range,
                   const core::QuantizationSpec& spec, v1::FakeQuantizeGradientRequest* request);

// Take the answer to a request whose tensor had `value_count` elements and
// whose range had `channel_count` values.
//
// Errors: kInternal, naming the field, where a size is another.
absl::StatusOr<FakeQuantizeResult> DecodeResponse(const v1::FakeQuantizeResponse& response,
                                                  std::size_t value_count,
                                                  std::size_t channel_count);
absl::StatusOr<FakeQuantizeGradientResult> DecodeResponse(
    const v1::FakeQuantizeGradientResponse& response, std::size_t value_count,
    std::size_t channel_count);
ServerInfo DecodeResponse(const v1::GetServerInfoResponse& response);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_MESSAGES_H_
