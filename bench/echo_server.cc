// A server of QuantizationService that sends the bytes of every request back without
// parsing them. It shows the limit of gRPC itself on a machine.
//
//   echo_server --listen localhost:50052 --channel_argument grpc.http2.max_frame_size=1048576

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "bench/baseline.h"
#include "core/base/mutex.h"
#include "wire/methods.h"
#include "wire/raw_service.h"
#ifdef QUANTD_TUNED_ECHO
#include "wire/socket_buffers.h"
#include "wire/transport.h"
#endif

namespace quantd::bench {
namespace {

// The most messages of a stream that are held while their answers wait to be sent.
constexpr std::size_t kMaxQueuedMessages = 64;

// Deletes itself when gRPC is done with it.
class UnaryEcho final : public grpc::ServerUnaryReactor {
 public:
  static grpc::ServerUnaryReactor* Start(const grpc::ByteBuffer& request,
                                         grpc::ByteBuffer& response) {
    auto echo = std::make_unique<UnaryEcho>();
    // This shares the bytes instead of copying them.
    response = request;
    echo->Finish(request.Valid() ? grpc::Status::OK : grpc::Status::CANCELLED);
    return echo.release();
  }

  void OnDone() override { const std::unique_ptr<UnaryEcho> ends_here(this); }
};

// Reads and writes at the same time. Deletes itself when gRPC is done with it.
class StreamEcho final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  static grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start() {
    auto echo = std::make_unique<StreamEcho>();
    echo->StartRead(&echo->incoming_);
    return echo.release();
  }

  void OnReadDone(bool ok) override {
    Take([&] {
      mutex_.AssertHeld();
      reading_ = false;
      ended_ = !ok;
      if (ok) {
        queue_.push_back(std::exchange(incoming_, grpc::ByteBuffer()));
      }
    });
  }

  void OnWriteDone(bool ok) override {
    Take([&] {
      mutex_.AssertHeld();
      writing_ = false;
      queue_.pop_front();
      if (!ok) {
        // The client no longer reads answers.
        queue_.clear();
      }
    });
  }

  void OnDone() override { const std::unique_ptr<StreamEcho> ends_here(this); }

 private:
  struct Step {
    const grpc::ByteBuffer* write = nullptr;
    bool read = false;
    bool finish = false;
  };

  // Handles an event, and starts what can be started next.
  template <typename Event>
  void Take(const Event& event) {
    Step step;
    {
      const core::MutexLock lock(&mutex_);
      event();
      step = NextStep();
    }
    if (step.write != nullptr) {
      StartWrite(step.write);
    }
    if (step.read) {
      StartRead(&incoming_);
    }
    if (step.finish) {
      Finish(grpc::Status::OK);
    }
  }

  Step NextStep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Step step;
    if (!writing_ && !queue_.empty()) {
      writing_ = true;
      step.write = &queue_.front();
    }
    if (!reading_ && !ended_ && queue_.size() < kMaxQueuedMessages) {
      reading_ = true;
      step.read = true;
    }
    step.finish = ended_ && queue_.empty();
    return step;
  }

  // Used by the read that is in progress.
  grpc::ByteBuffer incoming_;
  core::Mutex mutex_;
  // The first one is being written.
  std::deque<grpc::ByteBuffer> queue_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // The client sends nothing more.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// Echoes all methods alike.
class EchoService final : public wire::RawService {
 public:
  EchoService() {
    for (const wire::Method& method : wire::kMethods) {
      switch (method.transfer) {
        case wire::Transfer::kUnary:
          AddMethod(method,
                    UnaryHandler([](grpc::CallbackServerContext* /*context*/,
                                    const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
                      return UnaryEcho::Start(*request, *response);
                    }));
          break;
        case wire::Transfer::kStream:
          AddMethod(method, StreamHandler([](grpc::CallbackServerContext* /*context*/) {
                      return StreamEcho::Start();
                    }));
          break;
      }
    }
  }
};

}  // namespace
}  // namespace quantd::bench

int main(int argc, char** argv) {
  quantd::bench::EchoService service;
#ifdef QUANTD_TUNED_ECHO
  quantd::wire::DisableLockChecks();
  return quantd::bench::ServeBaseline(
      "echo_server", service, argc, argv,
      [](grpc::ServerBuilder& builder) { quantd::wire::EnlargeSocketBuffers(builder); });
#else
  return quantd::bench::ServeBaseline("echo_server", service, argc, argv);
#endif
}
