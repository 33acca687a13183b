// What happens to every call, whether it has one message or many.

#ifndef QUANTD_SERVER_CALLS_SERVED_CALL_H_
#define QUANTD_SERVER_CALLS_SERVED_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "core/worker_pool.h"
#include "server/calls/admission.h"
#include "server/calls/open_streams.h"
#include "server/calls/session.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "wire/methods.h"

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

// One call from its arrival to its end: admits or refuses it and its messages, has
// its session answer them, counts and logs. Not for use by two threads at once.
class ServedCall {
 public:
  // The call has arrived. `environment` outlives the server's gRPC side; `context`
  // belongs to gRPC and outlives this; `method` is one of wire::kMethods.
  ServedCall(const CallEnvironment& environment, const wire::Method& method,
             std::unique_ptr<Session> session, grpc::CallbackServerContext* context);

  // Admits the call.
  //
  // Errors: SHUTTING_DOWN.
  absl::Status Admit();

  // Admits a message of a call that was admitted, by the weight that the session
  // gives it before it is parsed.
  //
  // Errors: MESSAGE_TOO_LARGE, IN_FLIGHT_LIMIT.
  absl::Status AdmitMessage(const grpc::ByteBuffer& message);

  // Whether the message that was admitted is worth another thread: smaller ones
  // are answered before it would begin.
  bool IsLarge() const;

  // Runs `task` on one of our own threads: gRPC's are few, and must not compute
  // for long.
  void RunOnWorker(std::function<void()> task) const;

  // Answers the message that was admitted.
  absl::Status AnswerMessage(const grpc::ByteBuffer& message, grpc::ByteBuffer* response);

  // The number of messages that were answered.
  std::uint64_t answered() const { return answered_; }

  // Ends the call: counts and logs it, and returns the status for its client. To
  // be called once, before the client gets the status: whoever has the answer
  // finds it counted, and finds room.
  grpc::Status End(const absl::Status& status);

 private:
  // Takes more from admission if the message weighs more than it has taken.
  absl::Status TakeWeight(std::uint64_t weight);
  absl::Status Compute(const grpc::ByteBuffer& message, grpc::ByteBuffer* response);

  const CallEnvironment& environment_;
  const wire::Method& method_;
  const std::unique_ptr<Session> session_;
  grpc::CallbackServerContext* const context_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  // The total over all messages.
  std::uint64_t request_bytes_ = 0;
  // What the message that was admitted holds, and about what it takes to answer it.
  std::uint64_t weight_ = 0;
  std::uint64_t work_ = 0;
  std::uint64_t answered_ = 0;
  bool in_flight_ = false;
  Admission::Ticket ticket_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_SERVED_CALL_H_
