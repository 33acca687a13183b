#include "server/calls/unary_call.h"

#include <utility>

#include "absl/memory/memory.h"

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
  if (const std::optional<absl::Status> status = call->Answer(); status.has_value()) {
    call->End(*status);
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

void UnaryCall::OnCancel() { call_.StopWaiting(); }

std::optional<absl::Status> UnaryCall::Answer() {
  // gRPC has no message for a call that was aborted before it was read.
  if (!request_->Valid()) {
    return absl::CancelledError("the call was aborted before its request was read");
  }
  if (absl::Status status = call_.Admit(); !status.ok()) {
    return status;
  }
  return call_.Answer(*request_, response_, [this](const absl::Status& status) { End(status); });
}

void UnaryCall::End(const absl::Status& status) { Finish(call_.End(status)); }

}  // namespace quantd::server
