// A fake server that lets tests choose answers and how long they take.

#ifndef QUANTD_TESTS_CLIENT_LOAD_FAKE_SERVER_H_
#define QUANTD_TESTS_CLIENT_LOAD_FAKE_SERVER_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/load/calls.h"
#include "client/load/load_run.h"
#include "core/base/mutex.h"

namespace quantd::client {

// Replaces gRPC and the server behind it. Ends calls on its own threads.
class FakeServer {
 public:
  // How a call ends.
  struct Fate {
    // The exact time from when the call is sent to its end. nullopt means that the call
    // ends when ReleaseCalls() or Cancel() is called.
    std::optional<std::chrono::nanoseconds> service_time = std::chrono::nanoseconds(0);
    grpc::Status status = grpc::Status::OK;
    grpc::ByteBuffer answer = {};
  };
  // Chooses how a call ends. Calls are numbered from 0 in the order in which they start.
  using Decide = std::function<Fate(std::size_t number)>;

  explicit FakeServer(Decide decide, std::size_t thread_count = 1) : decide_(std::move(decide)) {
    for (std::size_t i = 0; i < thread_count; ++i) {
      threads_.emplace_back([this] { EndCalls(); });
    }
  }
  ~FakeServer() {
    const core::MutexLock lock(&mutex_);
    is_over_ = true;
    changed_.NotifyAll();
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  // Makes the calls of a LoadRun.
  LoadRun::MakeCalls make_calls() {
    return
        [this](Calls::Listener& listener) { return std::make_unique<FakeCalls>(*this, listener); };
  }

  // Ends the calls that are under way.
  void ReleaseCalls() {
    const core::MutexLock lock(&mutex_);
    for (Call& call : under_way_) {
      call.end = std::min(call.end, Clock::now());
    }
    changed_.NotifyAll();
  }

  std::size_t begun() const {
    const core::MutexLock lock(&mutex_);
    return begun_;
  }
  std::size_t under_way() const {
    const core::MutexLock lock(&mutex_);
    return under_way_.size();
  }
  std::size_t most_under_way() const {
    const core::MutexLock lock(&mutex_);
    return most_under_way_;
  }
  std::optional<std::chrono::steady_clock::time_point> cancelled() const {
    const core::MutexLock lock(&mutex_);
    return cancelled_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Call {
    std::size_t place;
    Clock::time_point sent;
    Clock::time_point end;
    Fate fate;
  };

  class FakeCalls final : public Calls {
   public:
    FakeCalls(FakeServer& server, Listener& listener) : server_(server) {
      server.listener_ = &listener;
    }
    ~FakeCalls() override { EXPECT_EQ(server_.under_way(), 0U); }
    FakeCalls(const FakeCalls&) = delete;
    FakeCalls& operator=(const FakeCalls&) = delete;

    void Start(std::size_t place, const Request& /*request*/, std::size_t /*shift*/) override {
      server_.Start(place);
    }
    void Cancel() override { server_.Cancel(); }

   private:
    FakeServer& server_;
  };

  void Start(std::size_t place) {
    const core::MutexLock lock(&mutex_);
    EXPECT_TRUE(
        std::ranges::none_of(under_way_, [&](const Call& call) { return call.place == place; }))
        << "two calls in place " << place;
    Call call{.place = place, .sent = Clock::now(), .end = {}, .fate = decide_(begun_++)};
    call.end = call.sent + call.fate.service_time.value_or(std::chrono::hours(1000));
    under_way_.push_back(std::move(call));
    most_under_way_ = std::max(most_under_way_, under_way_.size());
    changed_.NotifyAll();
  }

  void Cancel() {
    const core::MutexLock lock(&mutex_);
    cancelled_ = Clock::now();
    for (Call& call : under_way_) {
      call.end = *cancelled_;
      call.fate.status = grpc::Status(grpc::StatusCode::CANCELLED, "cancelled");
    }
    changed_.NotifyAll();
  }

  void EndCalls() {
    while (const std::optional<Call> call = AwaitEnd()) {
      listener_->CallEnded(call->place, {.sent = call->sent,
                                         .ended = call->end,
                                         .status = call->fate.status,
                                         .answer = call->fate.answer});
    }
  }

  // Returns the next call that ends, once it does, or nothing when all is over.
  std::optional<Call> AwaitEnd() {
    const core::MutexLock lock(&mutex_);
    while (!is_over_) {
      const auto first = std::ranges::min_element(under_way_, {}, &Call::end);
      if (first == under_way_.end()) {
        changed_.Wait(&mutex_);
      } else if (const Clock::time_point end = first->end; end > Clock::now()) {
        changed_.WaitUntil(&mutex_, end);
      } else {
        Call call = std::move(*first);
        under_way_.erase(first);
        return call;
      }
    }
    return std::nullopt;
  }

  const Decide decide_;
  Calls::Listener* listener_ = nullptr;

  mutable core::Mutex mutex_;
  core::ConditionVariable changed_;
  std::vector<Call> under_way_ ABSL_GUARDED_BY(mutex_);
  std::size_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t most_under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<Clock::time_point> cancelled_ ABSL_GUARDED_BY(mutex_);
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
  // The last member: they use the others.
  std::vector<std::jthread> threads_;
};

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_LOAD_FAKE_SERVER_H_
