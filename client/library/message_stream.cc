#include "client/library/message_stream.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace quantd::client {
namespace {

using Clock = std::chrono::steady_clock;

// gRPC's threads run the reactions. OnWriteDone() and OnReadDone() may run at the
// same time; OnDone() comes last.
class MessageStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  MessageStream(const StreamCall& call, const std::function<void()>& on_response,
                StreamExchange* exchange)
      : timeout_(call.timeout),
        on_response_(on_response),
        exchange_(exchange),
        last_response_(*call.last_answer) {
    if (!call.authorization.empty()) {
      context_.AddMetadata("authorization", call.authorization);
    }
  }

  TryEnd Run(const StreamCall& call, grpc::GenericStub* stub) {
    stub->PrepareBidiStreamingCall(&context_, call.method, {}, this);
    WriteNext();
    StartRead(&response_);
    StartCall();
    TryEnd end = AwaitEnd();
    *call.last_answer = last_response();
    if (end.status.ok()) {
      end.status = exchange_->CheckComplete();
    }
    return end;
  }

  void OnWriteDone(bool ok) override {
    // If this is false, the stream has ended, and OnDone() receives the reason.
    if (ok) {
      WriteNext();
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return;
    }
    const absl::Status status = exchange_->TakeResponse(response_);
    response_.Clear();
    if (!status.ok()) {
      Fail(status);
      return;
    }
    NoteResponse();
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    // Notifies under the lock: without it, this object may be gone by then.
    const core::MutexLock lock(&mutex_);
    end_ = EndOf(status, context_);
    done_ = true;
    changed_.NotifyOne();
  }

 private:
  void WriteNext() {
    absl::StatusOr<std::optional<grpc::ByteBuffer>> request = exchange_->NextRequest();
    if (!request.ok()) {
      Fail(request.status());
    } else if (request->has_value()) {
      request_.Swap(&**request);
      StartWrite(&request_);
    } else {
      StartWritesDone();
    }
  }

  // Ends the stream, and keeps the first reason.
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const core::MutexLock lock(&mutex_);
      error_.Update(status);
    }
    context_.TryCancel();
  }

  void NoteResponse() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    last_response_ = Clock::now();
    if (on_response_ != nullptr) {
      news_ = true;
      changed_.NotifyOne();
    }
  }

  // Returns when the stream has ended: OK, or why it failed.
  TryEnd AwaitEnd() ABSL_LOCKS_EXCLUDED(mutex_) {
    Event event = AwaitEvent();
    for (; event != Event::kEnd; event = AwaitEvent()) {
      if (event == Event::kResponse) {
        on_response_();
      } else {
        Fail(absl::DeadlineExceededError("the server has stopped answering"));
      }
    }
    const core::MutexLock lock(&mutex_);
    return error_.ok() ? end_ : TryEnd{.status = error_};
  }

  Clock::time_point last_response() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    return last_response_;
  }

  enum class Event { kResponse, kTimeout, kEnd };

  // Waits for the next event. The end comes after all others, and the timeout
  // only if there was no error.
  Event AwaitEvent() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    while (!news_ && !done_) {
      if (!error_.ok()) {
        changed_.Wait(&mutex_);
      } else if (Clock::now() < last_response_ + timeout_) {
        changed_.WaitUntil(&mutex_, last_response_ + timeout_);
      } else {
        return Event::kTimeout;
      }
    }
    return std::exchange(news_, false) ? Event::kResponse : Event::kEnd;
  }

  const std::chrono::milliseconds timeout_;
  const std::function<void()>& on_response_;
  StreamExchange* const exchange_;
  grpc::ClientContext context_;
  // The messages that are on their way.
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;

  core::Mutex mutex_;
  core::ConditionVariable changed_;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  Clock::time_point last_response_ ABSL_GUARDED_BY(mutex_);
  // Whether answers have arrived since the last call of `on_response_`.
  bool news_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  // The server's, once the stream is done.
  TryEnd end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

TryEnd RunStream(const StreamCall& call, const std::function<void()>& on_response,
                 StreamExchange* exchange, grpc::GenericStub* stub) {
  return MessageStream(call, on_response, exchange).Run(call, stub);
}

}  // namespace quantd::client
