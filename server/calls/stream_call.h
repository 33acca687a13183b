// gRPC's side of a call in which each of many requests gets a response.

#ifndef QUANTD_SERVER_CALLS_STREAM_CALL_H_
#define QUANTD_SERVER_CALLS_STREAM_CALL_H_

#include <grpcpp/grpcpp.h>

#include <cassert>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "server/calls/admission.h"
#include "server/calls/open_streams.h"
#include "server/calls/served_call.h"
#include "server/calls/session.h"
#include "wire/methods.h"

namespace quantd::server {

// A queue of messages, the oldest first, with the memory that is reserved for each.
class MessageQueue {
 public:
  bool empty() const { return messages_.empty(); }
  // The memory of all messages, including an overhead for each.
  std::size_t bytes() const { return bytes_; }

  // Moves the bytes of `message` into the queue. (gRPC's buffers are copied where
  // they should be moved.)
  void Push(grpc::ByteBuffer& message, Admission::Reservation memory = {}) {
    bytes_ += message.Length() + kOverheadBytes;
    Entry& entry = messages_.emplace_back();
    entry.message.Swap(&message);
    entry.memory = std::move(memory);
  }

  // Moves the bytes of the oldest message to `message`, and returns its memory. The
  // queue must not be empty.
  Admission::Reservation Pop(grpc::ByteBuffer& message) {
    assert(!empty());
    Entry& entry = messages_.front();
    message.Swap(&entry.message);
    Admission::Reservation memory = std::move(entry.memory);
    messages_.pop_front();
    bytes_ -= message.Length() + kOverheadBytes;
    return memory;
  }

 private:
  struct Entry {
    grpc::ByteBuffer message;
    Admission::Reservation memory;
  };

  // About the size of a gRPC buffer without its bytes.
  static constexpr std::size_t kOverheadBytes = 384;

  std::deque<Entry> messages_;
  std::size_t bytes_ = 0;
};

// One stream: requests are answered one after another, while further requests are
// read and answers are written. Few of them wait: a large request or some small
// ones, and about a MiB of answers. While the client does not read, nothing more is
// read from it, so that HTTP/2's flow control stops the client.
//
// The first request that is refused ends the stream, after the answers to those
// before it have been written; "message_index" in the error's metadata counts from
// 0. A request for which there is no room waits for it, and those behind it with it.
class StreamCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public OpenStreams::Stream {
 public:
  // Starts the call and returns what a raw callback method returns; the call
  // belongs to environment.open_streams until gRPC is done with it. `environment`
  // outlives the server's gRPC side; `context` belongs to gRPC.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start(
      const CallEnvironment& environment, const wire::Method& method,
      std::unique_ptr<Session> session, grpc::CallbackServerContext* context);

  void EndIfQuietSince(std::chrono::steady_clock::time_point time) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  // Called by gRPC when the client cancels the call, or its deadline passes.
  void OnCancel() override;
  void OnDone() override;

 private:
  // What to do next.
  enum class Step { kNothing, kWrite, kRead, kAnswer, kEnd };

  StreamCall(const CallEnvironment& environment, const wire::Method& method,
             std::unique_ptr<Session> session, grpc::CallbackServerContext* context);

  // Runs `event` under the mutex, then takes all steps that are possible now.
  // Several threads may do so at once: one reads, another answers, a third writes.
  template <typename Event>
  void Advance(const Event& event);
  // Takes `step` and those that follow, for a thread that `advancing_` counts.
  // Nothing may be touched after the last: another thread may destroy the call.
  void TakeSteps(Step step);
  // Takes `step` and returns the next.
  Step Take(Step step);
  // Returns the next step, which it marks as begun.
  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers `request_`, or lets another thread answer it and take the steps that
  // follow. Returns the next step of this thread.
  Step AnswerRequest();
  Step NoteAnswer(const absl::Status& status);
  void End();

  OpenStreams* const open_streams_;
  grpc::CallbackServerContext* const context_;
  // Used by gRPC while it reads and writes.
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  grpc::WriteOptions write_options_;
  // Used by the thread that answers; there is one at a time.
  ServedCall call_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;

  core::Mutex mutex_;
  // The number of threads that take steps.
  int advancing_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool answering_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool requests_ended_ ABSL_GUARDED_BY(mutex_) = false;
  // When a message was last received or sent.
  std::chrono::steady_clock::time_point last_message_ ABSL_GUARDED_BY(mutex_) =
      std::chrono::steady_clock::now();
  // The memory of the answer that gRPC writes.
  Admission::Reservation outgoing_memory_ ABSL_GUARDED_BY(mutex_);
  MessageQueue requests_ ABSL_GUARDED_BY(mutex_);
  MessageQueue answers_ ABSL_GUARDED_BY(mutex_);
  // Why the stream ends before its requests do.
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_STREAM_CALL_H_
