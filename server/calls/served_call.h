// What happens to every call, of one message or of many.

#ifndef QUANTD_SERVER_CALLS_SERVED_CALL_H_
#define QUANTD_SERVER_CALLS_SERVED_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "core/worker_pool.h"
#include "server/calls/admission.h"
#include "server/calls/method.h"
#include "server/calls/open_streams.h"
#include "server/operations/codec.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// What all calls of a server share. Owns nothing.
struct CallEnvironment {
  std::uint64_t max_message_bytes;
  Admission* admission;
  OpenStreams* open_streams;
  core::WorkerPool* pool;
  Metrics* metrics;
  Log* log;
};

// Makes the bytes of a response from those of a request, which are valid, and from
// what those before it in the same call leave to it. Is called for one message
// after another. May throw std::bad_alloc.
using Answer = std::function<absl::Status(const grpc::ByteBuffer& request,
                                          RequestDefaults& defaults, grpc::ByteBuffer* response)>;

// One call from its arrival to its end: lets it and its messages in or refuses
// them, has them answered, counts and logs. Not to be used by two threads at
// once.
class ServedCall {
 public:
  // The call has arrived. `environment` outlives the server's gRPC side;
  // `context` is gRPC's, and outlives this.
  ServedCall(const CallEnvironment& environment, Method method, Answer answer,
             grpc::CallbackServerContext* context);

  // Lets the call in.
  //
  // Errors: SHUTTING_DOWN.
  absl::Status Admit();

  // Lets in a message of a call that was let in. It weighs its own bytes and
  // those of a range that it may take over.
  //
  // Errors: MESSAGE_TOO_LARGE, IN_FLIGHT_LIMIT.
  absl::Status AdmitMessage(const grpc::ByteBuffer& message);

  // Whether the message that was let in is worth another thread: smaller ones
  // are answered sooner than it would begin.
  bool IsLarge() const;

  // Has `task` run on one of our own threads: gRPC's are few, and never compute
  // for long.
  void RunOnWorker(std::function<void()> task) const;

  // Answers the message that was let in.
  absl::Status AnswerMessage(const grpc::ByteBuffer& message, grpc::ByteBuffer* response);

  // How many messages were answered.
  std::uint64_t answered() const { return answered_; }

  // Ends the call: counts and logs it, and returns what its client is told. To
  // be called once, before the client is told: who has the answer finds it
  // counted, and finds room.
  grpc::Status End(const absl::Status& status);

 private:
  absl::Status Compute(const grpc::ByteBuffer& message, grpc::ByteBuffer* response);

  const CallEnvironment& environment_;
  const Method method_;
  const Answer answer_;
  grpc::CallbackServerContext* const context_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  RequestDefaults defaults_;
  // Of all messages.
  std::uint64_t request_bytes_ = 0;
  // That of the message that was let in.
  std::uint64_t weight_ = 0;
  std::uint64_t answered_ = 0;
  bool in_flight_ = false;
  Admission::Ticket ticket_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_SERVED_CALL_H_
