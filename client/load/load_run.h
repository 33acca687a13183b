// Runs one load from its first call to its last.

#ifndef QUANTD_CLIENT_LOAD_LOAD_RUN_H_
#define QUANTD_CLIENT_LOAD_LOAD_RUN_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <vector>

#include "client/load/arrivals.h"
#include "client/load/calls.h"
#include "client/load/load_result.h"
#include "client/load/load_tester.h"
#include "client/load/workload.h"

namespace quantd::client {

// Decides when calls start, and records how they end. Can only be used once.
class LoadRun final : private Calls::Listener {
 public:
  // Makes one place per concurrent call of the plan. The places report the end of
  // their calls to the listener.
  using MakeCalls = std::function<std::unique_ptr<Calls>(Calls::Listener&)>;

  // `workload` must outlive the run.
  LoadRun(const LoadPlan& plan, const Workload& workload);

  // See LoadTester::Run(). If calls are under way, but none has started or ended for
  // `timeout` plus a second, the load ends and the calls are cancelled. This is
  // needed because messages of a stream have no time limit of their own.
  LoadResult Run(const MakeCalls& make_calls, std::chrono::milliseconds timeout,
                 const std::stop_token& stop, const LoadTester::Watcher& watcher);

 private:
  using Clock = std::chrono::steady_clock;

  // A call that is due.
  struct Call {
    const Request* request = nullptr;
    Clock::time_point due;
    // Whether the call found a free place when it was due.
    bool is_in_time = true;
  };

  void CallEnded(std::size_t place, const Calls::End& end) override;

  // Starts calls when they become due. Returns when there are no more.
  void Dispatch();
  // Returns the next call if one is due. Ends sending if the load is over.
  std::optional<Call> TakeCall(Clock::time_point now);
  bool IsOver(Clock::time_point now) const;
  bool IsStuck(Clock::time_point now, std::chrono::milliseconds timeout);
  void EndSending(Clock::time_point now);
  void CutShort(Clock::time_point now);
  void Begin(std::size_t place, const Call& call);

  absl::Status Verify(const Call& call, const Calls::End& end);
  void Record(const Call& call, const Calls::End& end, const absl::Status& status);
  void RecordUnsent();
  void Stop();
  void AwaitEnd(std::chrono::milliseconds timeout, const LoadTester::Watcher& watcher);
  void Tell(const LoadTester::Watcher& watcher);

  const LoadPlan plan_;
  const Workload& workload_;
  std::unique_ptr<Calls> calls_;
  Clock::time_point begin_;
  // The call in each place. Only the holder of the place may access it.
  std::vector<Call> places_;
  std::atomic<std::uint64_t> answers_ = 0;

  // The state of sending, guarded by sending_mutex_.
  std::mutex sending_mutex_;
  std::condition_variable place_came_free_;
  std::condition_variable sending_or_calls_ended_;
  std::optional<Arrivals> arrivals_;
  std::mt19937_64 random_;
  std::vector<std::size_t> free_places_;
  std::uint64_t begun_ = 0;
  Clock::time_point last_begin_;
  // No calls were started after this time.
  std::optional<Clock::time_point> sending_ended_;
  // Whether sending ended while there were more calls to start.
  bool is_cut_short_ = false;
  // When the load was interrupted, if it was.
  std::optional<Clock::time_point> interrupted_;

  // The result so far, guarded by result_mutex_.
  std::mutex result_mutex_;
  LoadResult result_;
  Clock::time_point last_end_;
  // When the watcher was last notified, and the number of calls at that time.
  Clock::time_point told_;
  std::uint64_t told_calls_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LOAD_RUN_H_
