#include "server/answer.h"

#include <utility>

#include "wire/message.h"
#include "wire/received_message.h"

namespace quantd::server {
namespace {

// `handle` takes the arguments that Request is decoded to.
template <typename Request, typename Handle>
absl::StatusOr<grpc::ByteBuffer> AnswerTensors(const grpc::ByteBuffer& bytes,
                                               RequestDefaults& defaults, Handle handle) {
  const absl::StatusOr<wire::ReceivedMessage<Request>> request =
      wire::ReceivedMessage<Request>::Parse(bytes);
  if (!request.ok()) {
    return request.status();
  }
  const auto arguments = Decode(*request, defaults);
  if (!arguments.ok()) {
    return arguments.status();
  }
  absl::StatusOr<wire::OutgoingTensor> response = handle(*arguments);
  if (!response.ok()) {
    return response.status();
  }
  Remember(request->message(), defaults);
  const grpc::Slice slice = std::move(*response).ToSlice();
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

absl::StatusOr<grpc::ByteBuffer> AnswerFakeQuantize(const grpc::ByteBuffer& request,
                                                    RequestDefaults& defaults,
                                                    const HandlerContext& context) {
  return AnswerTensors<v1::FakeQuantizeRequest>(request, defaults,
                                                [&](const FakeQuantizeArguments& arguments) {
                                                  return HandleFakeQuantize(arguments, context);
                                                });
}

absl::StatusOr<grpc::ByteBuffer> AnswerFakeQuantizeGradient(const grpc::ByteBuffer& request,
                                                            RequestDefaults& defaults,
                                                            GradientSums sums,
                                                            const HandlerContext& context) {
  return AnswerTensors<v1::FakeQuantizeGradientRequest>(
      request, defaults, [&](const FakeQuantizeGradientArguments& arguments) {
        return HandleFakeQuantizeGradient(arguments, sums, context);
      });
}

absl::StatusOr<grpc::ByteBuffer> AnswerGetServerInfo(const grpc::ByteBuffer& request,
                                                     const ServerLimits& limits) {
  v1::GetServerInfoRequest message;
  if (absl::Status status = wire::ParseMessage(request, message); !status.ok()) {
    return status;
  }
  return wire::SerializeMessage(HandleGetServerInfo(limits));
}

}  // namespace quantd::server
