#include "client/library/message_stream.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "wire/status.h"

namespace quantd::client {
namespace {

using Clock = std::chrono::steady_clock;

// gRPC's threads run the reactions. OnWriteDone() and OnReadDone() may run at the
// same time; OnDone() comes last.
class MessageStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  MessageStream(StreamedCall& call, std::chrono::milliseconds timeout,
                const std::function<void()>& on_response)
      : call_(call), timeout_(timeout), on_response_(on_response) {}

  absl::Status Run(grpc::GenericStub& stub, const std::string& method) {
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    WriteNext();
    StartRead(&response_);
    StartCall();
    Wait();
    if (!error_.ok()) {
      return error_;
    }
    const absl::Status status = ToAbslStatus(grpc_status_);
    return status.ok() ? call_.CheckComplete() : status;
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
    const absl::Status status = call_.TakeResponse(response_);
    response_.Clear();
    if (!status.ok()) {
      Fail(status);
      return;
    }
    NoteResponse();
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    // Notifies while holding the lock, because this may be destroyed as soon as the lock
    // is released.
    const std::lock_guard lock(mutex_);
    grpc_status_ = status;
    is_done_ = true;
    changed_.notify_one();
  }

 private:
  void WriteNext() {
    absl::StatusOr<std::optional<grpc::ByteBuffer>> request = call_.NextRequest();
    if (!request.ok()) {
      Fail(request.status());
    } else if (request->has_value()) {
      request_.Swap(&**request);
      StartWrite(&request_);
    } else {
      StartWritesDone();
    }
  }

  // Cancels the stream, and keeps the first error.
  void Fail(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      error_.Update(status);
    }
    context_.TryCancel();
  }

  void NoteResponse() {
    const std::lock_guard lock(mutex_);
    last_response_ = Clock::now();
    if (on_response_ != nullptr) {
      has_news_ = true;
      changed_.notify_one();
    }
  }

  // Returns when the stream has ended.
  void Wait() {
    std::unique_lock lock(mutex_);
    last_response_ = Clock::now();
    while (!is_done_) {
      changed_.wait_until(lock, last_response_ + timeout_,
                          [this] { return is_done_ || has_news_; });
      if (std::exchange(has_news_, false)) {
        lock.unlock();
        on_response_();
        lock.lock();
      } else if (error_.ok() && Clock::now() >= last_response_ + timeout_) {
        lock.unlock();
        Fail(absl::DeadlineExceededError("the server has stopped answering"));
        lock.lock();
        changed_.wait(lock, [this] { return is_done_; });
      }
    }
    if (has_news_) {
      on_response_();
    }
  }

  StreamedCall& call_;
  const std::chrono::milliseconds timeout_;
  const std::function<void()>& on_response_;
  grpc::ClientContext context_;
  // The messages in transit.
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // All members below are guarded by `mutex_`.
  absl::Status error_;
  Clock::time_point last_response_;
  // Whether answers arrived since the last call of `on_response_`.
  bool has_news_ = false;
  bool is_done_ = false;
  grpc::Status grpc_status_;
};

}  // namespace

absl::Status RunStream(grpc::GenericStub& stub, const std::string& method, StreamedCall& call,
                       std::chrono::milliseconds timeout,
                       const std::function<void()>& on_response) {
  return MessageStream(call, timeout, on_response).Run(stub, method);
}

}  // namespace quantd::client
