// The life of a unary call, the same for every method.

#ifndef QUANTD_SERVER_UNARY_CALL_H_
#define QUANTD_SERVER_UNARY_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "core/worker_pool.h"
#include "server/admission.h"
#include "server/log.h"
#include "server/method.h"
#include "server/metrics.h"

namespace quantd::server {

// What all calls of a server share. Owns nothing.
struct CallEnvironment {
  std::uint64_t max_message_bytes;
  Admission* admission;
  core::WorkerPool* pool;
  Metrics* metrics;
  Log* log;
};

// One call: lets it in or refuses it, has it answered on the right thread,
// counts and logs it. gRPC's callback threads are few, and never compute for
// long here.
class UnaryCall final : public grpc::ServerUnaryReactor {
  // Keeps the constructor, which std::make_unique calls, for Start().
  struct PrivateKey {
    explicit PrivateKey() = default;
  };

 public:
  // Makes the bytes of the response from those of the request. May throw
  // std::bad_alloc.
  using Answer = std::function<absl::StatusOr<grpc::ByteBuffer>(const grpc::ByteBuffer& request)>;

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

 private:
  // Lets the call in, or refuses it.
  absl::Status Admit();
  // Answers a call that was let in.
  void Run();
  absl::StatusOr<grpc::ByteBuffer> MakeAnswer() const;
  // Counts, logs and sends. Nothing may be touched afterwards: gRPC may end the
  // call's life from another thread.
  void FinishWith(const absl::Status& status);

  const CallEnvironment& environment_;
  const Method method_;
  const Answer answer_;
  grpc::CallbackServerContext* const context_;
  const grpc::ByteBuffer* const request_;
  grpc::ByteBuffer* const response_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::uint64_t request_bytes_ = 0;
  bool in_flight_ = false;
  Admission::Ticket ticket_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_UNARY_CALL_H_
