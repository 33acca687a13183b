// gRPC's side of a call with one request and one response.

#ifndef QUANTD_SERVER_CALLS_UNARY_CALL_H_
#define QUANTD_SERVER_CALLS_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

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

  // Called by gRPC when the client cancels the call, or its deadline passes.
  void OnCancel() override;

  // Says that both are short, so that gRPC calls them where the call ends. Otherwise it would wake
  // another thread for it, which costs a small call a quarter of its CPU time (docs/experiments.md
  // has the figures).
  bool InternalInlineable() override { return true; }

 private:
  UnaryCall(const CallEnvironment& environment, const wire::Method& method,
            std::unique_ptr<Session> session, grpc::CallbackServerContext* context,
            const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

  // Admits and answers the call, or returns nothing: then it is answered and ended
  // later.
  std::optional<absl::Status> Answer();
  // Nothing may be touched afterwards: gRPC may destroy the call on another thread.
  void End(const absl::Status& status);

  ServedCall call_;
  const grpc::ByteBuffer* const request_;
  grpc::ByteBuffer* const response_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_UNARY_CALL_H_
