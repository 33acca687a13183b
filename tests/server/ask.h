// Calls the methods' handlers directly, without a server.

#ifndef QUANTD_TESTS_SERVER_ASK_H_
#define QUANTD_TESTS_SERVER_ASK_H_

#include "absl/status/statusor.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/operations/answer.h"
#include "wire/message.h"
#include "wire/received_message.h"

namespace quantd::server {

// Returns `request` in the form in which a server receives it.
template <typename Request>
wire::ReceivedMessage<Request> Receive(const Request& request) {
  return *wire::ReceivedMessage<Request>::Parse(*wire::SerializeMessage(request));
}

// Returns the response in `bytes` if `status` is OK, and otherwise `status`.
template <typename Response>
absl::StatusOr<Response> ParseAnswer(absl::Status status, const grpc::ByteBuffer& bytes) {
  Response response;
  if (status.ok()) {
    status = wire::ParseMessage(bytes, response);
  }
  if (!status.ok()) {
    return status;
  }
  return response;
}

inline absl::StatusOr<v1::FakeQuantizeResponse> Ask(const v1::FakeQuantizeRequest& request,
                                                    const HandlerContext& context) {
  RequestDefaults none;
  grpc::ByteBuffer bytes;
  const absl::Status status =
      AnswerFakeQuantize(*wire::SerializeMessage(request), none, context, &bytes);
  return ParseAnswer<v1::FakeQuantizeResponse>(status, bytes);
}

inline absl::StatusOr<v1::FakeQuantizeGradientResponse> Ask(
    const v1::FakeQuantizeGradientRequest& request, const HandlerContext& context,
    GradientSums sums = GradientSums::kLeftOut) {
  RequestDefaults none;
  grpc::ByteBuffer bytes;
  const absl::Status status =
      AnswerFakeQuantizeGradient(*wire::SerializeMessage(request), none, sums, context, &bytes);
  return ParseAnswer<v1::FakeQuantizeGradientResponse>(status, bytes);
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_ASK_H_
