// Methods asked with messages, without a server.

#ifndef QUANTD_TESTS_SERVER_ASK_H_
#define QUANTD_TESTS_SERVER_ASK_H_

#include "absl/status/statusor.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/answer.h"
#include "wire/message.h"
#include "wire/received_message.h"

namespace quantd::server {

// `request` as it is received.
template <typename Request>
wire::ReceivedMessage<Request> Receive(const Request& request) {
  return *wire::ReceivedMessage<Request>::Parse(*wire::SerializeMessage(request));
}

// The response in `bytes`.
template <typename Response>
absl::StatusOr<Response> ParseAnswer(const absl::StatusOr<grpc::ByteBuffer>& bytes) {
  if (!bytes.ok()) {
    return bytes.status();
  }
  Response response;
  const absl::Status status = wire::ParseMessage(*bytes, response);
  if (!status.ok()) {
    return status;
  }
  return response;
}

inline absl::StatusOr<v1::FakeQuantizeResponse> Ask(const v1::FakeQuantizeRequest& request,
                                                    const HandlerContext& context) {
  RequestDefaults none;
  return ParseAnswer<v1::FakeQuantizeResponse>(
      AnswerFakeQuantize(*wire::SerializeMessage(request), none, context));
}

inline absl::StatusOr<v1::FakeQuantizeGradientResponse> Ask(
    const v1::FakeQuantizeGradientRequest& request, const HandlerContext& context,
    GradientSums sums = GradientSums::kLeftOut) {
  RequestDefaults none;
  return ParseAnswer<v1::FakeQuantizeGradientResponse>(
      AnswerFakeQuantizeGradient(*wire::SerializeMessage(request), none, sums, context));
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_ASK_H_
