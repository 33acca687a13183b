// gRPC's side of a call with one request and one response.

#ifndef QUANTD_SERVER_CALLS_UNARY_CALL_H_
#define QUANTD_SERVER_CALLS_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "absl/status/status.h"
#include "server/calls/served_call.h"
#include "server/calls/session.h"
#include "wire/methods.h"

namespace quantd::server {

// One unary call.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  // Starts the call and returns what a raw callback method returns; the call owns
  // itself until gRPC is done with it. `environment` outlives the server's gRPC
  // side; context, request and response belong to gRPC.
  static grpc::ServerUnaryReactor* Start(const CallEnvironment& environment,
                                         const wire::Method& method,
                                         std::unique_ptr<Session> session,
                                         grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response);

  // Called by gRPC when the answer is sent, or nobody waits for it any longer.
  void OnDone() override;

  // Says that OnDone() is short, so that gRPC calls it where the call ends.
  // Otherwise it would wake another thread for it, which costs a small call a
  // quarter of its CPU time (docs/experiments.md has the figures).
  bool InternalInlineable() override { return true; }

 private:
  UnaryCall(const CallEnvironment& environment, const wire::Method& method,
            std::unique_ptr<Session> session, grpc::CallbackServerContext* context,
            const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

  // Admits or refuses the call and its message.
  absl::Status Admit();
  // Answers a call that was admitted, and ends it. Nothing may be touched
  // afterwards: gRPC may destroy the call on another thread.
  void Run();

  ServedCall call_;
  const grpc::ByteBuffer* const request_;
  grpc::ByteBuffer* const response_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_UNARY_CALL_H_
