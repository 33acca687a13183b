#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "client/load/calls.h"

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

// One stream. Requests are written one after another and answered in order. gRPC's
// threads run the reactions; reads and writes can run at the same time.
class RequestStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // Called when the stream has ended, with the calls that were not answered. May
  // destroy the stream.
  using OnEnd = std::function<void(const RequestStream&, const grpc::Status&,
                                   const std::deque<StreamedCall>&)>;

  RequestStream(Calls::Listener& listener, OnEnd on_end)
      : listener_(listener), on_end_(std::move(on_end)) {}

  // Opens the stream with its first call.
  void Open(grpc::GenericStub& stub, const std::string& method, std::size_t place,
            const Request& request) {
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    // Requests are added outside of reactions, so gRPC has to keep the stream open.
    AddHold();
    StartRead(&answer_);
    Add(place, request);
    StartCall();
  }

  // Adds a call. Returns false if the stream is about to end and takes no more calls.
  bool Add(std::size_t place, const Request& request) {
    const std::lock_guard lock(mutex_);
    if (is_closing_) {
      return false;
    }
    waiting_.push_back({.place = place, .request = &request, .sent = {}});
    Proceed();
    return true;
  }

  // Declares that no more requests will be added.
  void Close() {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    Proceed();
  }

  void Cancel() { context_.TryCancel(); }

 private:
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    is_writing_ = false;
    is_broken_ = is_broken_ || !ok;
    Proceed();
  }

  void OnReadDone(bool ok) override {
    const Clock::time_point now = Clock::now();
    std::optional<StreamedCall> call;
    {
      const std::lock_guard lock(mutex_);
      if (ok && !sent_.empty()) {
        call = sent_.front();
        sent_.pop_front();
      } else {
        // Either the stream is about to end, or the server sent an answer without a
        // request. OnDone() receives the status.
        is_broken_ = true;
        Proceed();
      }
    }
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
    std::deque<StreamedCall> unanswered;
    {
      const std::lock_guard lock(mutex_);
      unanswered = std::move(sent_);
      const Clock::time_point now = Clock::now();
      for (StreamedCall& call : waiting_) {
        call.sent = now;
        unanswered.push_back(call);
      }
      waiting_.clear();
    }
    on_end(*this, status, unanswered);
  }

  // Starts whatever can be done next. The lock may be held, because gRPC runs the
  // reactions on other threads.
  void Proceed() {
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

  std::mutex mutex_;
  std::deque<StreamedCall> waiting_;
  std::deque<StreamedCall> sent_;
  bool is_writing_ = false;
  // Nothing more can be written.
  bool is_broken_ = false;
  // The stream takes no more calls.
  bool is_closing_ = false;
  // Writing has ended, and the hold was removed.
  bool is_released_ = false;
};

// A channel with its current stream. Opens a new stream when the current one has ended.
class Lane {
 public:
  Lane(const std::shared_ptr<grpc::Channel>& channel, const CallsOptions& options,
       Calls::Listener& listener)
      : method_(options.method), timeout_(options.timeout), listener_(listener), stub_(channel) {}

  // All calls must have ended; the stream may still be open.
  ~Lane() {
    std::unique_lock lock(mutex_);
    for (const std::unique_ptr<RequestStream>& stream : streams_) {
      stream->Close();
    }
    if (!ended_.wait_for(lock, timeout_, [this] { return streams_.empty(); })) {
      CancelStreams();
      ended_.wait(lock, [this] { return streams_.empty(); });
    }
  }

  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void Start(std::size_t place, const Request& request) {
    const std::lock_guard lock(mutex_);
    if (streams_.empty() || !streams_.back()->Add(place, request)) {
      Open(place, request);
    }
  }

  void Cancel() {
    const std::lock_guard lock(mutex_);
    is_cancelled_ = true;
    CancelStreams();
  }

 private:
  // Opens a stream with its first call.
  void Open(std::size_t place, const Request& request) {
    streams_.push_back(std::make_unique<RequestStream>(
        listener_, [this](const RequestStream& ended, const grpc::Status& status,
                          const std::deque<StreamedCall>& calls) { Ended(ended, status, calls); }));
    if (is_cancelled_) {
      streams_.back()->Cancel();
    }
    streams_.back()->Open(stub_, method_, place, request);
  }

  void CancelStreams() {
    for (const std::unique_ptr<RequestStream>& stream : streams_) {
      stream->Cancel();
    }
  }

  void Ended(const RequestStream& stream, const grpc::Status& status,
             const std::deque<StreamedCall>& calls) {
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
    const std::lock_guard lock(mutex_);
    // The stream is destroyed before ended_ is notified: it refers to its channel, and
    // the last reference to a channel must not be released on a gRPC thread.
    std::erase_if(streams_, [&](const auto& other) { return other.get() == &stream; });
    ended_.notify_all();
  }

  const std::string method_;
  const std::chrono::milliseconds timeout_;
  Calls::Listener& listener_;
  grpc::GenericStub stub_;

  std::mutex mutex_;
  std::condition_variable ended_;
  // The streams that have not ended. Only the last one takes new calls.
  std::vector<std::unique_ptr<RequestStream>> streams_;
  bool is_cancelled_ = false;
};

class StreamCalls final : public Calls {
 public:
  StreamCalls(const CallsOptions& options, Listener& listener) {
    for (const std::shared_ptr<grpc::Channel>& channel : options.channels) {
      lanes_.push_back(std::make_unique<Lane>(channel, options, listener));
    }
  }

  void Start(std::size_t place, const Request& request) override {
    lanes_[place % lanes_.size()]->Start(place, request);
  }

  void Cancel() override {
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      lane->Cancel();
    }
  }

 private:
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

std::unique_ptr<Calls> MakeStreamCalls(const CallsOptions& options, Calls::Listener& listener) {
  return std::make_unique<StreamCalls>(options, listener);
}

}  // namespace quantd::client
