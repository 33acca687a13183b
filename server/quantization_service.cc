#include "server/quantization_service.h"

#include "server/calls/stream_call.h"
#include "server/calls/unary_call.h"
#include "server/operations/sessions.h"

namespace quantd::server {

QuantizationService::QuantizationService(const CallEnvironment& environment,
                                         const ServerLimits& limits)
    : environment_(environment), limits_(limits) {
  environment_.metrics->ReadLoadFrom([admission = environment_.admission]() -> LoadFigures {
    const Admission::Load load = admission->load();
    return {.requests = load.requests, .bytes = load.bytes, .waiting = load.waiting};
  });
  for (const wire::Method& method : wire::kMethods) {
    switch (method.transfer) {
      case wire::Transfer::kUnary:
        AddMethod(method, UnaryHandler([this, &method](grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request,
                                                       grpc::ByteBuffer* response) {
                    return UnaryCall::Start(environment_, method, NewSession(method), context,
                                            request, response);
                  }));
        break;
      case wire::Transfer::kStream:
        AddMethod(method, StreamHandler([this, &method](grpc::CallbackServerContext* context) {
                    return StreamCall::Start(environment_, method, NewSession(method), context);
                  }));
        break;
    }
  }
}

std::unique_ptr<Session> QuantizationService::NewSession(const wire::Method& method) const {
  return MakeSession(method, {.pool = environment_.pool, .metrics = environment_.metrics}, limits_);
}

}  // namespace quantd::server
