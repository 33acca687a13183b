#include "server/calls/unary_call.h"

#include <utility>

#include "absl/memory/memory.h"
#include "core/base/status_macros.h"

namespace quantd::server {

grpc::ServerUnaryReactor* UnaryCall::Start(const CallEnvironment& environment,
                                           const wire::Method& method,
                                           std::unique_ptr<Session> session,
                                           grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) {
  // Owns itself from here on: OnDone() takes it back.
  UnaryCall* const call = absl::WrapUnique(new UnaryCall(environment, method, std::move(session),
                                                         context, request, response))
                              .release();
  if (const absl::Status status = call->Admit(); !status.ok()) {
    call->Finish(call->call_.End(status));
  } else if (call->call_.IsLarge()) {
    call->call_.RunOnWorker([call] { call->Run(); });
  } else {
    call->Run();
  }
  return call;
}

UnaryCall::UnaryCall(const CallEnvironment& environment, const wire::Method& method,
                     std::unique_ptr<Session> session, grpc::CallbackServerContext* context,
                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response)
    : call_(environment, method, std::move(session), context),
      request_(request),
      response_(response) {}

void UnaryCall::OnDone() { const std::unique_ptr<UnaryCall> self(this); }

absl::Status UnaryCall::Admit() {
  // gRPC has no message for a call that was aborted before it was read.
  if (!request_->Valid()) {
    return absl::CancelledError("the call was aborted before its request was read");
  }
  RETURN_IF_ERROR(call_.Admit());
  return call_.AdmitMessage(*request_);
}

void UnaryCall::Run() { Finish(call_.End(call_.AnswerMessage(*request_, response_))); }

}  // namespace quantd::server
