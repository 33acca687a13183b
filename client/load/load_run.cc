#include "client/load/load_run.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <numeric>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "wire/status.h"

namespace quantd::client {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::milliseconds kWatchInterval{250};
// How long a closed loop waits after a call that nobody answered, at first and at most.
constexpr std::chrono::milliseconds kFirstBackoff{10};
constexpr std::chrono::seconds kLongestBackoff{1};
// How long calls that are under way may still take after an interruption.
constexpr std::chrono::seconds kPatienceAfterStop{2};
// The grace period after the timeout, at which unary calls end on their own.
constexpr std::chrono::seconds kPatienceAfterTimeout{1};

nanoseconds ProcessCpuTime() {
  std::timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// Makes the waits of this thread end on time. By default, Linux may delay them by
// 50 µs.
void SharpenTimers() { prctl(PR_SET_TIMERSLACK, 1); }

}  // namespace

LoadRun::LoadRun(const LoadPlan& plan, const Workload& workload)
    : plan_(plan),
      workload_(workload),
      places_(plan.concurrency),
      unanswered_in_a_row_(plan.concurrency),
      random_(plan.seed),
      free_places_(plan.concurrency),
      backoff_(kFirstBackoff, kLongestBackoff, plan.seed) {
  if (plan.rate.has_value()) {
    arrivals_.emplace(plan.arrivals, *plan.rate, plan.seed);
  }
  // Places are taken from the back, so this makes place 0 the first one.
  std::iota(free_places_.rbegin(), free_places_.rend(), std::size_t{0});
  result_.plan = plan;
}

LoadResult LoadRun::Run(const MakeCalls& make_calls, std::chrono::milliseconds timeout,
                        const std::stop_token& stop, const LoadTester::Watcher& watcher) {
  calls_ = make_calls(*this);
  const nanoseconds cpu_time = ProcessCpuTime();
  StartClock();
  {
    const std::stop_callback stop_callback(stop, [this] { Stop(); });
    const std::jthread dispatcher([this] { Dispatch(); });
    AwaitEnd(timeout, watcher);
  }
  const std::uint64_t retries = calls_->retries();
  calls_.reset();
  LoadResult result = TakeResult();
  result.retries = retries;
  result.client_cpu_time = ProcessCpuTime() - cpu_time;
  return result;
}

void LoadRun::StartClock() {
  const core::MutexLock sending_lock(&sending_mutex_);
  const core::MutexLock result_lock(&result_mutex_);
  begin_ = Clock::now();
  last_begin_ = begin_;
  last_end_ = begin_;
  reported_ = begin_;
}

LoadResult LoadRun::TakeResult() {
  const core::MutexLock sending_lock(&sending_mutex_);
  const core::MutexLock result_lock(&result_mutex_);
  // A closed loop that rested at its end was under way until then.
  result_.time = (ended_resting_ ? std::max(last_end_, *sending_ended_) : last_end_) - begin_;
  result_.outages = outages_.OutagesUntil(result_.time);
  result_.is_interrupted = interrupted_.has_value();
  result_.sending_time = result_.time;
  if (plan_.rate.has_value()) {
    RecordUnsent();
  }
  return std::move(result_);
}

void LoadRun::Dispatch() {
  SharpenTimers();
  while (const std::optional<PlacedCall> next = AwaitCall()) {
    Begin(next->place, next->call);
  }
}

std::optional<LoadRun::PlacedCall> LoadRun::AwaitCall() {
  const core::MutexLock lock(&sending_mutex_);
  while (!sending_ended_.has_value()) {
    const Clock::time_point now = Clock::now();
    EndRests(now);
    const std::optional<Call> call = free_places_.empty() ? std::nullopt : TakeCall(now);
    if (call.has_value()) {
      const std::size_t place = free_places_.back();
      free_places_.pop_back();
      return PlacedCall{.call = *call, .place = place};
    }
    AwaitChange();
  }
  return std::nullopt;
}

void LoadRun::AwaitChange() {
  if (sending_ended_.has_value()) {
    return;
  }
  if (!free_places_.empty()) {
    place_came_free_.WaitUntil(&sending_mutex_, begin_ + arrivals_->next());
  } else if (resting_places_.empty()) {
    place_came_free_.Wait(&sending_mutex_);
  } else {
    const Clock::time_point rested = resting_places_.begin()->first;
    place_came_free_.WaitUntil(&sending_mutex_, plan_.duration.has_value()
                                                    ? std::min(rested, begin_ + *plan_.duration)
                                                    : rested);
  }
}

void LoadRun::EndRests(Clock::time_point now) {
  if (!resting_places_.empty() && IsOver(now)) {
    EndSending(now);
  }
  while (!resting_places_.empty() && resting_places_.begin()->first <= now) {
    free_places_.push_back(resting_places_.begin()->second);
    resting_places_.erase(resting_places_.begin());
  }
}

std::optional<LoadRun::Call> LoadRun::TakeCall(Clock::time_point now) {
  if (!sending_ended_.has_value() && IsOver(now)) {
    EndSending(now);
  }
  if (sending_ended_.has_value()) {
    return std::nullopt;
  }
  Call call{.request = nullptr, .due = now, .is_in_time = !free_places_.empty()};
  if (arrivals_.has_value()) {
    call.due = begin_ + arrivals_->next();
    if (call.due > now) {
      return std::nullopt;
    }
    arrivals_->Advance();
  }
  call.request = &workload_.Pick(random_);
  ++begun_;
  last_begin_ = now;
  return call;
}

// An open loop is over when its next call would be due after the end.
bool LoadRun::IsOver(Clock::time_point now) const {
  if (plan_.calls.has_value() && begun_ >= *plan_.calls) {
    return true;
  }
  if (!plan_.duration.has_value()) {
    return false;
  }
  return now - begin_ >= *plan_.duration ||
         (arrivals_.has_value() && arrivals_->next() >= *plan_.duration);
}

void LoadRun::EndSending(Clock::time_point now) {
  sending_ended_ = now;
  ended_resting_ = !resting_places_.empty();
  for (const auto& [rested, place] : resting_places_) {
    free_places_.push_back(place);
  }
  resting_places_.clear();
  place_came_free_.NotifyAll();
  sending_or_calls_ended_.NotifyAll();
}

void LoadRun::Begin(std::size_t place, const Call& call) {
  places_[place] = call;
  calls_->Start(place, *call.request, /*shift=*/0);
}

void LoadRun::CallEnded(std::size_t place, const Calls::End& end) {
  const Call& ended = places_[place];
  absl::Status status = wire::ToAbslStatus(end.status);
  if (status.ok()) {
    status = Verify(ended, end);
  }
  Record(ended, end, status);
  if (!plan_.rate.has_value() && IsUnanswered(status)) {
    Rest(place);
    return;
  }
  unanswered_in_a_row_[place] = 0;
  if (const std::optional<Call> next = TakeCallOrFree(place)) {
    Begin(place, *next);
  }
}

std::optional<LoadRun::Call> LoadRun::TakeCallOrFree(std::size_t place) {
  const core::MutexLock lock(&sending_mutex_);
  std::optional<Call> next = TakeCall(Clock::now());
  if (!next.has_value()) {
    Free(place);
  }
  return next;
}

void LoadRun::Free(std::size_t place) {
  free_places_.push_back(place);
  if (free_places_.size() == 1) {
    place_came_free_.NotifyAll();
  }
  if (free_places_.size() == places_.size()) {
    sending_or_calls_ended_.NotifyAll();
  }
}

void LoadRun::Rest(std::size_t place) {
  ++unanswered_in_a_row_[place];
  const core::MutexLock lock(&sending_mutex_);
  const Clock::time_point now = Clock::now();
  if (!sending_ended_.has_value() && IsOver(now)) {
    EndSending(now);
  }
  if (sending_ended_.has_value()) {
    Free(place);
    return;
  }
  resting_places_.emplace(now + backoff_.After(unanswered_in_a_row_[place]), place);
  place_came_free_.NotifyAll();
}

// Of n answers, n times the share, rounded down, are compared.
absl::Status LoadRun::Verify(const Call& call, const Calls::End& end) {
  if (plan_.verified_share <= 0) {
    return absl::OkStatus();
  }
  const auto number = static_cast<double>(answers_.fetch_add(1));
  if (std::floor(number * plan_.verified_share) ==
      std::floor((number + 1) * plan_.verified_share)) {
    return absl::OkStatus();
  }
  absl::Status status = call.request->Check(end.answer);
  const core::MutexLock lock(&result_mutex_);
  ++result_.verified;
  if (!status.ok()) {
    result_.messages.try_emplace(kWrongAnswer, status.message());
  }
  return status;
}

void LoadRun::Record(const Call& call, const Calls::End& end, const absl::Status& status) {
  const nanoseconds latency = end.ended - call.due;
  const nanoseconds since_begin = end.ended - begin_;
  const core::MutexLock lock(&result_mutex_);
  last_end_ = std::max(last_end_, end.ended);
  if (IsUnanswered(status)) {
    outages_.AddUnanswered(end.sent - begin_);
  } else if (!absl::IsCancelled(status)) {
    outages_.AddAnswer(since_begin);
  }
  ++result_.calls;
  if (plan_.rate.has_value()) {
    result_.late += call.is_in_time ? 0 : 1;
    if (call.is_in_time) {
      result_.client_delay.Add(end.sent - call.due);
    }
  }
  if (status.ok()) {
    ++result_.status_codes["OK"];
    result_.elements += call.request->element_count();
    result_.tensor_bytes += call.request->tensor_bytes();
    result_.latency.Add(latency);
    result_.service_time.Add(end.ended - end.sent);
    result_.timeline.AddCall(since_begin, latency);
    return;
  }
  ++result_.errors;
  result_.timeline.AddError(since_begin);
  const std::string code = end.status.ok() ? kWrongAnswer : absl::StatusCodeToString(status.code());
  ++result_.status_codes[code];
  result_.messages.try_emplace(code, status.message());
  if (absl::IsDeadlineExceeded(status)) {
    result_.latency.Add(latency);
  }
}

// Records the calls that were due before sending ended but were not sent.
void LoadRun::RecordUnsent() {
  const nanoseconds ended = *sending_ended_ - begin_;
  const nanoseconds planned = plan_.duration.value_or(nanoseconds::max());
  const nanoseconds until = is_cut_short_ ? std::min(ended, planned) : planned;
  result_.due = begun_;
  while (arrivals_->next() < until && result_.due < plan_.calls.value_or(result_.due + 1)) {
    result_.latency.Add(ended - arrivals_->next());
    ++result_.due;
    ++result_.unsent;
    arrivals_->Advance();
  }
  result_.scheduled_time = std::min(arrivals_->next(), until);
  result_.sending_time = std::max(ended, result_.scheduled_time);
}

void LoadRun::Stop() {
  const core::MutexLock lock(&sending_mutex_);
  const Clock::time_point now = Clock::now();
  interrupted_ = now;
  CutShort(now);
}

void LoadRun::CutShort(Clock::time_point now) {
  if (!sending_ended_.has_value()) {
    is_cut_short_ = true;
    EndSending(now);
  }
}

void LoadRun::AwaitEnd(std::chrono::milliseconds timeout, const LoadTester::Watcher& watcher) {
  bool is_cancelled = false;
  while (!AwaitEndForAWhile()) {
    if (MustCancel(timeout) && !is_cancelled) {
      is_cancelled = true;
      calls_->Cancel();
    }
    Report(watcher);
  }
}

bool LoadRun::AwaitEndForAWhile() {
  const core::MutexLock lock(&sending_mutex_);
  const Clock::time_point deadline = Clock::now() + kWatchInterval;
  bool is_in_time = true;
  while (is_in_time && !HaveAllEnded()) {
    is_in_time = sending_or_calls_ended_.WaitUntil(&sending_mutex_, deadline);
  }
  return HaveAllEnded();
}

bool LoadRun::HaveAllEnded() const {
  return sending_ended_.has_value() && free_places_.size() == places_.size();
}

bool LoadRun::MustCancel(std::chrono::milliseconds timeout) {
  const core::MutexLock lock(&sending_mutex_);
  const Clock::time_point now = Clock::now();
  const bool is_stuck = IsStuck(now, timeout);
  if (is_stuck) {
    CutShort(now);
  } else if (!sending_ended_.has_value() && IsOver(now)) {
    // If no call ends, no call finds that the time is over.
    EndSending(now);
  }
  return is_stuck || (interrupted_.has_value() && now - *interrupted_ > kPatienceAfterStop);
}

bool LoadRun::IsStuck(Clock::time_point now, std::chrono::milliseconds timeout) {
  const core::MutexLock lock(&result_mutex_);
  return free_places_.size() + resting_places_.size() < places_.size() &&
         now - std::max(last_begin_, last_end_) > timeout + kPatienceAfterTimeout;
}

void LoadRun::Report(const LoadTester::Watcher& watcher) {
  if (watcher == nullptr) {
    return;
  }
  LoadProgress progress;
  {
    const core::MutexLock lock(&result_mutex_);
    const Clock::time_point now = Clock::now();
    const std::chrono::duration<double> since_report = now - std::exchange(reported_, now);
    const std::uint64_t new_calls = result_.calls - std::exchange(reported_calls_, result_.calls);
    progress = {.elapsed = now - begin_,
                .calls = result_.calls,
                .errors = result_.errors,
                .calls_per_second = static_cast<double>(new_calls) / since_report.count(),
                .p99 = result_.latency.Quantile(0.99)};
  }
  watcher(progress);
}

}  // namespace quantd::client
