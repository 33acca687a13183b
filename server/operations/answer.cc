#include "server/operations/answer.h"

#include <utility>

#include "wire/message.h"
#include "wire/received_message.h"

namespace quantd::server {
namespace {

// `handle` takes the arguments that Request is decoded to.
template <typename Request, typename Handle>
absl::Status AnswerTensors(const grpc::ByteBuffer& bytes, RequestDefaults& defaults, Handle handle,
                           grpc::ByteBuffer* response) {
  absl::StatusOr<wire::ReceivedMessage<Request>> request =
      wire::ReceivedMessage<Request>::Parse(bytes);
  if (!request.ok()) {
    return request.status();
  }
  const auto arguments = Decode(*request, defaults);
  if (!arguments.ok()) {
    return arguments.status();
  }
  absl::StatusOr<wire::OutgoingTensor> answer = handle(*arguments);
  if (!answer.ok()) {
    return answer.status();
  }
  Remember((*std::move(request)).message(), defaults);
  const grpc::Slice slice = std::move(*answer).ToSlice();
  grpc::ByteBuffer(&slice, 1).Swap(response);
  return absl::OkStatus();
}

}  // namespace

absl::Status AnswerFakeQuantize(const grpc::ByteBuffer& request, RequestDefaults& defaults,
                                const HandlerContext& context, grpc::ByteBuffer* response) {
  const auto handle = [&](const FakeQuantizeArguments& arguments) {
    return HandleFakeQuantize(arguments, context);
  };
  return AnswerTensors<v1::FakeQuantizeRequest>(request, defaults, handle, response);
}

absl::Status AnswerFakeQuantizeGradient(const grpc::ByteBuffer& request, RequestDefaults& defaults,
                                        GradientSums sums, const HandlerContext& context,
                                        grpc::ByteBuffer* response) {
  const auto handle = [&](const FakeQuantizeGradientArguments& arguments) {
    return HandleFakeQuantizeGradient(arguments, sums, context);
  };
  return AnswerTensors<v1::FakeQuantizeGradientRequest>(request, defaults, handle, response);
}

absl::Status AnswerGetServerInfo(const grpc::ByteBuffer& request, const ServerLimits& limits,
                                 grpc::ByteBuffer* response) {
  v1::GetServerInfoRequest message;
  if (absl::Status status = wire::ParseMessage(request, message); !status.ok()) {
    return status;
  }
  absl::StatusOr<grpc::ByteBuffer> answer = wire::SerializeMessage(HandleGetServerInfo(limits));
  if (answer.ok()) {
    response->Swap(&*answer);
  }
  return answer.status();
}

}  // namespace quantd::server
