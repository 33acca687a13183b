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
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "core/worker_pool.h"
#include "server/access/access_control.h"
#include "server/access/caller.h"
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
  // How long a message waits for room, if its client waits that long.
  std::chrono::milliseconds max_wait;
  Admission* admission;
  // Null if everybody may call.
  const AccessControl* access_control;
  OpenStreams* open_streams;
  core::WorkerPool* pool;
  Metrics* metrics;
  Log* log;
};

// One call from its arrival to its end: admits or refuses it, finds room for its
// messages, has its session answer them, counts and logs. Not for use by two threads at
// once, except for StopWaiting().
class ServedCall {
 public:
  // Receives the outcome of a message.
  using Answered = std::function<void(const absl::Status&)>;

  // The call has arrived. `environment` outlives the server's gRPC side; `context`
  // belongs to gRPC and outlives this; `method` is one of wire::kMethods.
  ServedCall(const CallEnvironment& environment, const wire::Method& method,
             std::unique_ptr<Session> session, grpc::CallbackServerContext* context);

  // Admits the call.
  //
  // Errors: those of AccessControl::Admit(); SHUTTING_DOWN.
  absl::Status Admit();

  // Answers a message of a call that was admitted. If it is small and there is room for
  // it, the outcome is returned: another thread would begin later than this one is
  // done. Otherwise `answered` receives the outcome later, on one of our own threads:
  // gRPC's are few, and must neither wait nor compute for long. `message` and
  // `response` must live until then.
  //
  // A message waits for room as long as its client does, and in a unary call for max_wait at
  // most. In a stream, HTTP/2's flow control holds back those behind it.
  //
  // Errors: MESSAGE_TOO_LARGE, IN_FLIGHT_LIMIT; those of the session.
  std::optional<absl::Status> Answer(const grpc::ByteBuffer& message, grpc::ByteBuffer* response,
                                     Answered answered);

  // Hands over the memory that is reserved for the last answer, until it is written, and
  // gives back that of its message, which is cleared: for a call that goes on. Otherwise
  // both are held until the end. To be called with the answer still in `response`.
  Admission::Reservation TakeAnswerMemory();

  // Ends the call with RESOURCE_EXHAUSTED if its client does not take the answer in
  // `memory` for too long. To be called when the answer is about to be written.
  void WaitsForClient(Admission::Reservation& memory) const;

  // Ends the wait for room of a call that was cancelled, which then has the outcome
  // CANCELLED. Thread-safe.
  void StopWaiting() { environment_.admission->StopWaiting(waiter_); }

  // The number of messages that were answered.
  std::uint64_t answered() const { return answered_; }

  // Ends the call with `result`: counts and logs it, and returns the status for its client. To
  // be called once, before the client gets the status: whoever has the answer
  // finds it counted.
  grpc::Status End(const absl::Status& result);

 private:
  // Continues with the message until it is answered, or has to wait: then it returns
  // nothing, and continues later.
  std::optional<absl::Status> Proceed();
  std::optional<absl::Status> DecodeAndCompute();
  // Makes the memory that is reserved fit `weight`. Returns false if there is no room.
  bool FitMemory(const Admission::Weight& weight);
  // Proceeds on one of our own threads, on which it is.
  void ProceedOnWorker();
  void Deliver(const absl::Status& status);
  // Reserves `weight` and returns true; or waits for it, and then proceeds.
  bool ReserveOrWait(const Admission::Weight& weight);
  // Of `bytes` in all, those that are neither the message's nor what the session keeps.
  std::uint64_t MadeOf(std::uint64_t bytes) const;
  // Accounts for what the session keeps for later messages.
  absl::Status KeepSettings();
  // When the client stops waiting.
  std::chrono::steady_clock::time_point Deadline() const;
  // The same, but for a unary call no later than max_wait from now.
  std::chrono::steady_clock::time_point WaitDeadline() const;
  bool IsPastDeadline() const;
  // The outcome of a call that may have been cancelled in the meantime.
  absl::Status Outcome(const absl::Status& status) const;

  const CallEnvironment& environment_;
  const wire::Method& method_;
  const std::unique_ptr<Session> session_;
  grpc::CallbackServerContext* const context_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  // Known once the call was admitted, or denied.
  Caller caller_;
  // The total over all messages.
  std::uint64_t request_bytes_ = 0;
  std::uint64_t answered_ = 0;

  // The message that is being answered.
  const grpc::ByteBuffer* message_ = nullptr;
  grpc::ByteBuffer* response_ = nullptr;
  Answered on_answered_;

  Admission::Ticket ticket_;
  Admission::Waiter waiter_;
  // Of the message and its answer.
  Admission::Reservation memory_;
  Admission::Reservation kept_memory_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_SERVED_CALL_H_
