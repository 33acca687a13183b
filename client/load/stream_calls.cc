#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/load/calls.h"
#include "core/base/mutex.h"

namespace quantd::client {
namespace {

using Clock = std::chrono::steady_clock;

// A call in a stream: its place, its request and, once it was handed to gRPC, the time
// when that happened.
struct StreamedCall {
  std::size_t place;
  const Request* request;
  Clock::time_point sent;
};

// One stream. Requests are written one after another, and answered in the same
// order. gRPC's threads run the reactions, reading and writing at the same time.
class RequestStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Called when the stream has ended, with its calls that were not answered. May
  // destroy the stream.
  using OnEnd = std::function<void(const RequestStream&, const grpc::Status&,
                                   const std::deque<StreamedCall>&)>;

  RequestStream(Calls::Listener& listener, OnEnd on_end)
      : listener_(listener), on_end_(std::move(on_end)) {}

  // Opens the stream with its first call. `authorization` is as in CallsOptions.
  void Open(grpc::GenericStub& stub, const std::string& method, const std::string& authorization,
            std::size_t place, const Request& request) {
    if (!authorization.empty()) {
      context_.AddMetadata("authorization", authorization);
    }
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    // Requests are added outside of reactions, so gRPC has to keep the stream open.
    AddHold();
    StartRead(&answer_);
    Add(place, request);
    StartCall();
  }

  // Returns false if the stream takes no more calls, because it is about to end.
  bool Add(std::size_t place, const Request& request) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    if (is_closing_) {
      return false;
    }
    waiting_.push_back({.place = place, .request = &request, .sent = {}});
    Proceed();
    return true;
  }

  // Takes no more calls.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    is_closing_ = true;
    Proceed();
  }

  void Cancel() { context_.TryCancel(); }

 private:
  void OnWriteDone(bool ok) override {
    const core::MutexLock lock(&mutex_);
    is_writing_ = false;
    is_broken_ = is_broken_ || !ok;
    Proceed();
  }

  void OnReadDone(bool ok) override {
    const Clock::time_point now = Clock::now();
    const std::optional<StreamedCall> call = TakeAnswered(ok);
    if (!call.has_value()) {
      if (ok) {
        context_.TryCancel();
      }
      return;
    }
    grpc::ByteBuffer answer;
    answer.Swap(&answer_);
    StartRead(&answer_);
    listener_.CallEnded(
        call->place,
        {.sent = call->sent, .ended = now, .status = grpc::Status::OK, .answer = answer});
  }

  void OnDone(const grpc::Status& status) override {
    const OnEnd on_end = std::move(on_end_);
    on_end(*this, status, TakeUnanswered());
  }

  // Returns the call that an answer belongs to. Returns nothing if there was no
  // answer, or no such call: the stream is about to end then.
  std::optional<StreamedCall> TakeAnswered(bool has_answer) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    if (!has_answer || sent_.empty()) {
      is_broken_ = true;
      Proceed();
      return std::nullopt;
    }
    const StreamedCall call = sent_.front();
    sent_.pop_front();
    return call;
  }

  std::deque<StreamedCall> TakeUnanswered() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    std::deque<StreamedCall> unanswered = std::move(sent_);
    const Clock::time_point now = Clock::now();
    for (StreamedCall& call : waiting_) {
      call.sent = now;
      unanswered.push_back(call);
    }
    waiting_.clear();
    return unanswered;
  }

  // Does what can be done next. gRPC reacts to it in other threads only, so that
  // the lock may be held.
  void Proceed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    is_closing_ = is_closing_ || is_broken_;
    if (is_writing_ || is_released_) {
      return;
    }
    if (!is_broken_ && !waiting_.empty()) {
      is_writing_ = true;
      StreamedCall call = waiting_.front();
      waiting_.pop_front();
      call.sent = Clock::now();
      sent_.push_back(call);
      StartWrite(&call.request->bytes());
    } else if (is_closing_) {
      is_released_ = true;
      if (!is_broken_) {
        StartWritesDone();
      }
      RemoveHold();
    }
  }

  Calls::Listener& listener_;
  OnEnd on_end_;
  grpc::ClientContext context_;
  // Used by the read that is under way.
  grpc::ByteBuffer answer_;

  core::Mutex mutex_;
  std::deque<StreamedCall> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<StreamedCall> sent_ ABSL_GUARDED_BY(mutex_);
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Nothing can be written any more.
  bool is_broken_ ABSL_GUARDED_BY(mutex_) = false;
  // The stream takes no more calls.
  bool is_closing_ ABSL_GUARDED_BY(mutex_) = false;
  // Nothing is written any more, and gRPC knows it.
  bool is_released_ ABSL_GUARDED_BY(mutex_) = false;
};

// The streams of a channel, one after another.
class Lane {
 public:
  Lane(const std::shared_ptr<grpc::Channel>& channel, const CallsOptions& options,
       Calls::Listener& listener)
      : method_(options.method),
        authorization_(options.authorization),
        timeout_(options.timeout),
        listener_(listener),
        stub_(channel) {}

  // All calls must have ended; the stream may still be open.
  ~Lane() {
    const core::MutexLock lock(&mutex_);
    for (const std::unique_ptr<RequestStream>& stream : streams_) {
      stream->Close();
    }
    const Clock::time_point deadline = Clock::now() + timeout_;
    while (!streams_.empty() && ended_.WaitUntil(&mutex_, deadline)) {
    }
    CancelStreams();
    while (!streams_.empty()) {
      ended_.Wait(&mutex_);
    }
  }

  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void Start(std::size_t place, const Request& request) ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    if (streams_.empty() || !streams_.back()->Add(place, request)) {
      Open(place, request);
    }
  }

  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
    const core::MutexLock lock(&mutex_);
    is_cancelled_ = true;
    CancelStreams();
  }

 private:
  // Opens a stream for a first call.
  void Open(std::size_t place, const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    streams_.push_back(std::make_unique<RequestStream>(
        listener_, [this](const RequestStream& ended, const grpc::Status& status,
                          const std::deque<StreamedCall>& calls) { Ended(ended, status, calls); }));
    if (is_cancelled_) {
      streams_.back()->Cancel();
    }
    streams_.back()->Open(stub_, method_, authorization_, place, request);
  }

  void CancelStreams() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const std::unique_ptr<RequestStream>& stream : streams_) {
      stream->Cancel();
    }
  }

  void Ended(const RequestStream& stream, const grpc::Status& status,
             const std::deque<StreamedCall>& calls) ABSL_LOCKS_EXCLUDED(mutex_) {
    const Clock::time_point now = Clock::now();
    // Even if the server ended the stream with OK, it has not answered these calls.
    const grpc::Status reason =
        status.ok() ? grpc::Status(grpc::StatusCode::ABORTED,
                                   "the server ended the stream without an answer to this message")
                    : status;
    const grpc::ByteBuffer no_answer;
    for (const StreamedCall& call : calls) {
      listener_.CallEnded(call.place,
                          {.sent = call.sent, .ended = now, .status = reason, .answer = no_answer});
    }
    const core::MutexLock lock(&mutex_);
    // The stream refers to its channel, whose last reference must not go away in one
    // of gRPC's threads: it is destroyed before anybody is notified.
    std::erase_if(streams_, [&](const auto& other) { return other.get() == &stream; });
    ended_.NotifyAll();
  }

  const std::string method_;
  const std::string authorization_;
  const std::chrono::milliseconds timeout_;
  Calls::Listener& listener_;
  grpc::GenericStub stub_;

  core::Mutex mutex_;
  core::ConditionVariable ended_;
  // Those that have not ended. The last one takes calls.
  std::vector<std::unique_ptr<RequestStream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool is_cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

class StreamCalls final : public Calls {
 public:
  StreamCalls(const CallsOptions& options, Listener& listener)
      : channels_(options.channels.begin(), options.channels.end()) {
    for (const std::shared_ptr<grpc::Channel>& channel : channels_) {
      lanes_.push_back(std::make_unique<Lane>(channel, options, listener));
    }
  }

  void Start(std::size_t place, const Request& request, std::size_t shift) override {
    lanes_[ChooseChannel(channels_, place + shift)]->Start(place, request);
  }

  void Cancel() override {
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      lane->Cancel();
    }
  }

 private:
  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

std::unique_ptr<Calls> MakeStreamCalls(const CallsOptions& options, Calls::Listener& listener) {
  return std::make_unique<StreamCalls>(options, listener);
}

}  // namespace quantd::client
