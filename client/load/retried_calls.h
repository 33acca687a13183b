// Calls that are made again if they fail.

#ifndef QUANTD_CLIENT_LOAD_RETRIED_CALLS_H_
#define QUANTD_CLIENT_LOAD_RETRIED_CALLS_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "client/library/tries.h"
#include "client/load/calls.h"
#include "core/base/mutex.h"

namespace quantd::client {

struct RetriedCallsOptions {
  RetryOptions retry;
  std::size_t places = 1;
  // The number of servers to choose from.
  std::size_t servers = 1;
  // How long a call may take over all tries.
  std::chrono::milliseconds timeout;
};

// Makes each call again as long as RetryOptions permit, and reports only its last end, as one call
// that was sent when its first try was.
class RetriedCalls final : public Calls, private Calls::Listener {
 public:
  using MakeCalls = std::function<std::unique_ptr<Calls>(Calls::Listener&)>;

  // `make_calls` makes the calls that are the tries. `listener` outlives this.
  RetriedCalls(const RetriedCallsOptions& options, const MakeCalls& make_calls,
               Calls::Listener& listener);
  ~RetriedCalls() override;

  void Start(std::size_t place, const Request& request, std::size_t shift) override;
  void Cancel() override;
  std::uint64_t retries() const override { return retries_.load(); }

 private:
  using Clock = std::chrono::steady_clock;

  // A call that is under way.
  struct Place {
    const Request* request = nullptr;
    std::size_t shift = 0;
    std::optional<Tries> tries;
    std::optional<Clock::time_point> first_sent;
    grpc::Status last_status;
  };

  void CallEnded(std::size_t place, const End& end) override;
  // Returns false if the call cannot be made again any more.
  bool TryAgainAfter(Clock::duration wait, std::size_t place) ABSL_LOCKS_EXCLUDED(mutex_);
  void Report(std::size_t place, const End& end);
  // The thread that makes calls again when their time has come.
  void Run();

  const RetriedCallsOptions options_;
  Calls::Listener& listener_;
  RetryBudget budget_;
  std::atomic<std::uint64_t> retries_ = 0;
  // Each is used by the one thread that its call is with.
  std::vector<Place> places_;
  std::unique_ptr<Calls> tries_;

  core::Mutex mutex_;
  core::ConditionVariable changed_;
  bool is_cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_ending_ ABSL_GUARDED_BY(mutex_) = false;
  // Places whose calls wait for their next try, by its time.
  std::multimap<Clock::time_point, std::size_t> waiting_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_RETRIED_CALLS_H_
