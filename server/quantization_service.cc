#include "server/quantization_service.h"

#include "server/calls/stream_call.h"
#include "server/calls/unary_call.h"
#include "server/operations/answer.h"

namespace quantd::server {

grpc::ServerUnaryReactor* QuantizationService::FakeQuantize(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* request,
                                                            grpc::ByteBuffer* response) {
  return UnaryCall::Start(
      environment_, Method::kFakeQuantize,
      [this](const grpc::ByteBuffer& bytes, RequestDefaults& none, grpc::ByteBuffer* answer) {
        return AnswerFakeQuantize(bytes, none, handler_context(), answer);
      },
      context, request, response);
}

grpc::ServerUnaryReactor* QuantizationService::FakeQuantizeGradient(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
    grpc::ByteBuffer* response) {
  return UnaryCall::Start(
      environment_, Method::kFakeQuantizeGradient,
      [this](const grpc::ByteBuffer& bytes, RequestDefaults& none, grpc::ByteBuffer* answer) {
        return AnswerFakeQuantizeGradient(bytes, none, GradientSums::kLeftOut, handler_context(),
                                          answer);
      },
      context, request, response);
}

QuantizationService::StreamReactor* QuantizationService::StreamFakeQuantize(
    grpc::CallbackServerContext* context) {
  return StreamCall::Start(
      environment_, Method::kStreamFakeQuantize,
      [this](const grpc::ByteBuffer& request, RequestDefaults& defaults,
             grpc::ByteBuffer* response) {
        return AnswerFakeQuantize(request, defaults, handler_context(), response);
      },
      context);
}

QuantizationService::StreamReactor* QuantizationService::StreamFakeQuantizeGradient(
    grpc::CallbackServerContext* context) {
  return StreamCall::Start(
      environment_, Method::kStreamFakeQuantizeGradient,
      [this](const grpc::ByteBuffer& request, RequestDefaults& defaults,
             grpc::ByteBuffer* response) {
        return AnswerFakeQuantizeGradient(request, defaults, GradientSums::kSent, handler_context(),
                                          response);
      },
      context);
}

grpc::ServerUnaryReactor* QuantizationService::GetServerInfo(grpc::CallbackServerContext* context,
                                                             const grpc::ByteBuffer* request,
                                                             grpc::ByteBuffer* response) {
  return UnaryCall::Start(
      environment_, Method::kGetServerInfo,
      [this](const grpc::ByteBuffer& bytes, RequestDefaults& /*none*/, grpc::ByteBuffer* answer) {
        return AnswerGetServerInfo(bytes, limits_, answer);
      },
      context, request, response);
}

}  // namespace quantd::server
