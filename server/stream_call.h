// gRPC's side of a call in which each of many requests gets a response.

#ifndef QUANTD_SERVER_STREAM_CALL_H_
#define QUANTD_SERVER_STREAM_CALL_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "server/served_call.h"

namespace quantd::server {

// One stream: requests are answered one after another, while the next one is
// being read and answers are being written. Holds at most two requests, and
// answers up to kMaxWaitingBytes and one more: while its client does not read,
// it reads no further, and HTTP/2's flow control stops the client.
//
// The first request that is refused ends it, once the answers to those before
// are written; "message_index" in the error's metadata counts from 0.
class StreamCall final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
  // Keeps the constructor, which std::make_unique calls, for Start().
  struct PrivateKey {
    explicit PrivateKey() = default;
  };

 public:
  // Starts the call and returns what a raw callback method returns; it owns
  // itself until gRPC is done with it. `environment` outlives the server's
  // gRPC side; `context` belongs to gRPC.
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start(
      const CallEnvironment& environment, Method method, Answer answer,
      grpc::CallbackServerContext* context);

  StreamCall(PrivateKey key, const CallEnvironment& environment, Method method, Answer answer,
             grpc::CallbackServerContext* context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  // What is to be done next.
  enum class Step { kNothing, kWrite, kRead, kAnswer, kEnd };

  // Does what can be done, until nothing more can. Several threads may call it:
  // one does it all, and the others leave it to that one.
  void Advance();
  // The next step, noted as begun.
  Step NextStep();
  // Does it; returns whether another may follow. After kEnd nothing may be
  // touched: gRPC may end the call's life from another thread.
  bool Take(Step step);
  void Write();
  // Answers `request_`, here or on another thread.
  void StartAnswer();
  void AnswerRequest();
  void End();

  grpc::CallbackServerContext* const context_;
  // Used by Advance() alone, but by AnswerRequest() while `answering_`.
  ServedCall call_;
  // gRPC's, while it reads and writes.
  grpc::ByteBuffer incoming_;
  grpc::ByteBuffer outgoing_;
  // What is being answered.
  grpc::ByteBuffer request_;

  std::mutex mutex_;
  // All below under the mutex.
  bool advancing_ = false;
  bool reading_ = false;
  bool answering_ = false;
  bool writing_ = false;
  bool requests_ended_ = false;
  // Read, and not yet being answered.
  std::optional<grpc::ByteBuffer> next_request_;
  std::deque<grpc::ByteBuffer> answers_;
  std::size_t waiting_bytes_ = 0;
  // Why the stream ends before its requests do.
  absl::Status failure_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_STREAM_CALL_H_
