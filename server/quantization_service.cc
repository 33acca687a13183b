#include "server/quantization_service.h"

#include <utility>

#include "server/wire.h"

namespace quantd::server {
namespace {

// Bytes to bytes, by way of `handler`, which takes a Request and returns an
// absl::StatusOr of a response.
template <typename Request, typename Handler>
UnaryCall::Answer AnswerWith(Handler handler) {
  return [handler = std::move(handler)](
             const grpc::ByteBuffer& bytes) -> absl::StatusOr<grpc::ByteBuffer> {
    Request request;
    if (absl::Status status = ParseMessage(bytes, request); !status.ok()) {
      return status;
    }
    const auto response = handler(request);
    if (!response.ok()) {
      return response.status();
    }
    return SerializeMessage(*response);
  };
}

}  // namespace

grpc::ServerUnaryReactor* QuantizationService::FakeQuantize(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* request,
                                                            grpc::ByteBuffer* response) {
  return UnaryCall::Start(environment_, Method::kFakeQuantize,
                          AnswerWith<v1::FakeQuantizeRequest>([this](const auto& message) {
                            return HandleFakeQuantize(message, handler_context());
                          }),
                          context, request, response);
}

grpc::ServerUnaryReactor* QuantizationService::FakeQuantizeGradient(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return UnaryCall::Start(environment_, Method::kFakeQuantizeGradient,
                          AnswerWith<v1::FakeQuantizeGradientRequest>([this](const auto& message) {
                            return HandleFakeQuantizeGradient(message, handler_context());
                          }),
                          context, request, response);
}

grpc::ServerUnaryReactor* QuantizationService::GetServerInfo(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
  return UnaryCall::Start(
      environment_, Method::kGetServerInfo,
      AnswerWith<v1::GetServerInfoRequest>([this](const v1::GetServerInfoRequest& /*message*/) {
        return absl::StatusOr<v1::GetServerInfoResponse>(HandleGetServerInfo(limits_));
      }),
      context, request, response);
}

}  // namespace quantd::server
