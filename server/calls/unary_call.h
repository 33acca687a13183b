// gRPC's side of a call with one request and one response.

#ifndef QUANTD_SERVER_CALLS_UNARY_CALL_H_
#define QUANTD_SERVER_CALLS_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "server/calls/served_call.h"

namespace quantd::server {

// One unary call.
class UnaryCall final : public grpc::ServerUnaryReactor {
  // Keeps the constructor, which std::make_unique calls, for Start().
  struct PrivateKey {
    explicit PrivateKey() = default;
  };

 public:
  // Starts the call and returns what a raw callback method returns; it owns
  // itself until gRPC is done with it. `environment` outlives the server's
  // gRPC side; the others belong to gRPC.
  static grpc::ServerUnaryReactor* Start(const CallEnvironment& environment, Method method,
                                         Answer answer, grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response);

  UnaryCall(PrivateKey key, const CallEnvironment& environment, Method method, Answer answer,
            grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
            grpc::ByteBuffer* response);

  // The answer is sent, or nobody waits for it any more.
  void OnDone() override;

  // That OnDone() is short: gRPC calls it where the call ends. It would else wake
  // another thread for it, which costs a small call a quarter of its CPU time
  // (docs/design.md has the figures).
  bool InternalInlineable() override { return true; }

 private:
  // Lets the call in, or refuses it.
  absl::Status Admit();
  // Answers a call that was let in, and ends it. Nothing may be touched
  // afterwards: gRPC may end the call's life from another thread.
  void Run();

  ServedCall call_;
  const grpc::ByteBuffer* const request_;
  grpc::ByteBuffer* const response_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_UNARY_CALL_H_
