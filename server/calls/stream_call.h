// gRPC's side of a call in which each of many requests gets a response.

#ifndef QUANTD_SERVER_CALLS_STREAM_CALL_H_
#define QUANTD_SERVER_CALLS_STREAM_CALL_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>

#include "absl/status/status.h"
#include "server/calls/open_streams.h"
#include "server/calls/served_call.h"

namespace quantd::server {

// Messages that wait, the oldest first.
class MessageQueue {
 public:
  bool empty() const { return messages_.empty(); }
  // What all messages take: an empty one, too, is kept somewhere.
  std::size_t bytes() const { return bytes_; }

  // Takes the bytes out of `message`. (gRPC's buffers are copied where they
  // should be moved.)
  void Push(grpc::ByteBuffer& message) {
    bytes_ += message.Length() + kOverheadBytes;
    messages_.emplace_back().Swap(&message);
  }

  // Puts the bytes of the oldest message, of which there is one, into `message`.
  void Pop(grpc::ByteBuffer& message) {
    message.Swap(&messages_.front());
    messages_.pop_front();
    bytes_ -= message.Length() + kOverheadBytes;
  }

 private:
  // A gRPC buffer without its bytes, about.
  static constexpr std::size_t kOverheadBytes = 384;

  std::deque<grpc::ByteBuffer> messages_;
  std::size_t bytes_ = 0;
};

// One stream: requests are answered one after another, while further ones are
// being read and answers are being written. Few of them wait: a large one, or
// some small ones, on their way in, and about a MiB on their way out. While its
// client does not read, it reads no further, and HTTP/2's flow control stops the
// client.
//
// The first request that is refused ends it, once the answers to those before
// are written; "message_index" in the error's metadata counts from 0.
class StreamCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                         public OpenStreams::Stream {
  // Keeps the constructor, which std::make_shared calls, for Start().
  struct PrivateKey {
    explicit PrivateKey() = default;
  };

 public:
  // Starts the call and returns what a raw callback method returns; it
  // belongs to environment.open_streams until gRPC is done with it.
  // `environment` outlives the server's gRPC side; `context` belongs to gRPC.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start(
      const CallEnvironment& environment, Method method, Answer answer,
      grpc::CallbackServerContext* context);

  StreamCall(PrivateKey key, const CallEnvironment& environment, Method method, Answer answer,
             grpc::CallbackServerContext* context);

  void EndIfQuietSince(std::chrono::steady_clock::time_point time) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  // What is to be done next.
  enum class Step { kNothing, kWrite, kRead, kAnswer, kEnd };

  // Notes what happened, and does what can be done, until nothing more can.
  // Several threads may do so at once: one reads, another answers, a third
  // writes. `event` runs under the mutex.
  template <typename Event>
  void Advance(const Event& event);
  // Takes `step` and those that follow, for a thread that `advancing_` counts.
  // After the last nothing may be touched: another thread may end the call's
  // life.
  void TakeSteps(Step step);
  // Takes `step`, and returns the next.
  Step Take(Step step);
  // The next step, noted as begun, with what it takes. Under the mutex.
  Step NextStep();
  // Answers `request_`, or has another thread answer it and take the steps that
  // follow in this one's place; returns the next step.
  Step AnswerRequest();
  Step NoteAnswer(const absl::Status& status, grpc::ByteBuffer& answer);
  void End();

  OpenStreams* const open_streams_;
  grpc::CallbackServerContext* const context_;
  // gRPC's, while it reads and writes.
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  grpc::WriteOptions write_options_;
  // Those who answer, one at a time, use the call and the request.
  ServedCall call_;
  grpc::ByteBuffer request_;

  std::mutex mutex_;
  // All below under the mutex.
  // How many threads take steps.
  int advancing_ = 0;
  bool reading_ = false;
  bool answering_ = false;
  bool writing_ = false;
  bool requests_ended_ = false;
  // When a message last came or went.
  std::chrono::steady_clock::time_point last_message_ = std::chrono::steady_clock::now();
  MessageQueue requests_;
  MessageQueue answers_;
  // Why the stream ends before its requests do.
  absl::Status failure_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_STREAM_CALL_H_
