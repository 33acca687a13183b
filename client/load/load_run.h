// Runs one load from its first call to its last.

#ifndef QUANTD_CLIENT_LOAD_LOAD_RUN_H_
#define QUANTD_CLIENT_LOAD_LOAD_RUN_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "client/library/backoff.h"
#include "client/load/arrivals.h"
#include "client/load/calls.h"
#include "client/load/load_result.h"
#include "client/load/load_tester.h"
#include "client/load/outages.h"
#include "client/load/workload.h"
#include "core/base/mutex.h"

namespace quantd::client {

// Decides when calls begin, and records how they end. Used once.
class LoadRun final : private Calls::Listener {
 public:
  // Makes the plan's places. Their calls' ends are reported to the listener.
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
  struct PlacedCall {
    Call call;
    std::size_t place;
  };

  void CallEnded(std::size_t place, const Calls::End& end) override;

  void StartClock() ABSL_LOCKS_EXCLUDED(sending_mutex_, result_mutex_);
  LoadResult TakeResult() ABSL_LOCKS_EXCLUDED(sending_mutex_, result_mutex_);

  // Starts calls as they become due; returns when there are no more.
  void Dispatch();
  // Waits until a call is due and has a place. Returns nothing once there are no
  // more.
  std::optional<PlacedCall> AwaitCall() ABSL_LOCKS_EXCLUDED(sending_mutex_);
  // Waits until a call may be due, a place may be free or a rest may be over.
  void AwaitChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  // Frees the places whose rest is over; ends the load at its end.
  void EndRests(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  // Returns the next call, if there is one by now. Ends the load at its end.
  std::optional<Call> TakeCall(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  // Returns the next call for a place whose call ended, or frees the place.
  std::optional<Call> TakeCallOrFree(std::size_t place) ABSL_LOCKS_EXCLUDED(sending_mutex_);
  // Lets a place of a closed loop rest after a call that nobody answered.
  void Rest(std::size_t place) ABSL_LOCKS_EXCLUDED(sending_mutex_);
  void Free(std::size_t place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  bool IsOver(Clock::time_point now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  bool IsStuck(Clock::time_point now, std::chrono::milliseconds timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_) ABSL_LOCKS_EXCLUDED(result_mutex_);
  void EndSending(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  void CutShort(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  void Begin(std::size_t place, const Call& call);

  absl::Status Verify(const Call& call, const Calls::End& end) ABSL_LOCKS_EXCLUDED(result_mutex_);
  void Record(const Call& call, const Calls::End& end, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(result_mutex_);
  // Records the calls that were due before sending ended, but were not sent.
  void RecordUnsent() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_, result_mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(sending_mutex_);

  void AwaitEnd(std::chrono::milliseconds timeout, const LoadTester::Watcher& watcher);
  // Waits for a short time at most; returns true once all calls have ended.
  bool AwaitEndForAWhile() ABSL_LOCKS_EXCLUDED(sending_mutex_);
  bool HaveAllEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_mutex_);
  // Ends sending if it is time. Returns true if the calls that are under way must
  // be cancelled.
  bool MustCancel(std::chrono::milliseconds timeout)
      ABSL_LOCKS_EXCLUDED(sending_mutex_, result_mutex_);
  void Report(const LoadTester::Watcher& watcher) ABSL_LOCKS_EXCLUDED(result_mutex_);

  const LoadPlan plan_;
  const Workload& workload_;
  std::unique_ptr<Calls> calls_;
  Clock::time_point begin_;
  // The call in each place. Belongs to the thread that holds the place.
  std::vector<Call> places_;
  // How many calls in a row nobody answered in each place. Belongs to the same thread.
  std::vector<std::uint32_t> unanswered_in_a_row_;
  std::atomic<std::uint64_t> answers_ = 0;

  // What is to be sent. Acquired before `result_mutex_` by who needs both.
  core::Mutex sending_mutex_;
  core::ConditionVariable place_came_free_;
  core::ConditionVariable sending_or_calls_ended_;
  std::optional<Arrivals> arrivals_ ABSL_GUARDED_BY(sending_mutex_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(sending_mutex_);
  std::vector<std::size_t> free_places_ ABSL_GUARDED_BY(sending_mutex_);
  // The places that rest, by the time until when.
  std::multimap<Clock::time_point, std::size_t> resting_places_ ABSL_GUARDED_BY(sending_mutex_);
  Backoff backoff_ ABSL_GUARDED_BY(sending_mutex_);
  std::uint64_t begun_ ABSL_GUARDED_BY(sending_mutex_) = 0;
  Clock::time_point last_begin_ ABSL_GUARDED_BY(sending_mutex_);
  // Since when no more calls begin.
  std::optional<Clock::time_point> sending_ended_ ABSL_GUARDED_BY(sending_mutex_);
  // Sending ended although there were more calls to begin.
  bool is_cut_short_ ABSL_GUARDED_BY(sending_mutex_) = false;
  // Places rested when sending ended.
  bool ended_resting_ ABSL_GUARDED_BY(sending_mutex_) = false;
  // When somebody asked for the end.
  std::optional<Clock::time_point> interrupted_ ABSL_GUARDED_BY(sending_mutex_);

  // What has been measured.
  core::Mutex result_mutex_;
  LoadResult result_ ABSL_GUARDED_BY(result_mutex_);
  OutageRecorder outages_ ABSL_GUARDED_BY(result_mutex_);
  Clock::time_point last_end_ ABSL_GUARDED_BY(result_mutex_);
  // When the watcher was called last, and the number of calls at that time.
  Clock::time_point reported_ ABSL_GUARDED_BY(result_mutex_);
  std::uint64_t reported_calls_ ABSL_GUARDED_BY(result_mutex_) = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LOAD_RUN_H_
