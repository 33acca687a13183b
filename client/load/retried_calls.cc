#include "client/load/retried_calls.h"

#include <utility>

#include "wire/status.h"

namespace quantd::client {

RetriedCalls::RetriedCalls(const RetriedCallsOptions& options, const MakeCalls& make_calls,
                           Calls::Listener& listener)
    : options_(options),
      listener_(listener),
      places_(options.places),
      tries_(make_calls(*this)),
      thread_(&RetriedCalls::Run, this) {}

RetriedCalls::~RetriedCalls() {
  {
    const core::MutexLock lock(&mutex_);
    is_ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void RetriedCalls::Start(std::size_t place, const Request& request, std::size_t shift) {
  Place& call = places_[place];
  call.request = &request;
  call.shift = shift;
  call.tries.emplace(options_.retry, options_.servers, &budget_);
  call.first_sent.reset();
  tries_->Start(place, request, shift);
}

void RetriedCalls::Cancel() {
  {
    const core::MutexLock lock(&mutex_);
    is_cancelled_ = true;
    changed_.NotifyAll();
  }
  tries_->Cancel();
}

void RetriedCalls::CallEnded(std::size_t place, const End& end) {
  Place& call = places_[place];
  call.first_sent = call.first_sent.value_or(end.sent);
  if (end.status.ok()) {
    budget_.Earn();
    Report(place, end);
    return;
  }
  const TryEnd failure{.status = wire::ToAbslStatus(end.status),
                       .pushback = wire::RetryDelay(end.status)};
  const std::optional<Clock::duration> wait =
      call.tries->Fail(std::to_string((place + call.shift) % options_.servers), failure,
                       *call.first_sent + options_.timeout);
  call.last_status = end.status;
  if (!wait.has_value() || !TryAgainAfter(*wait, place)) {
    Report(place, end);
  }
}

bool RetriedCalls::TryAgainAfter(Clock::duration wait, std::size_t place) {
  const core::MutexLock lock(&mutex_);
  if (is_cancelled_) {
    return false;
  }
  waiting_.emplace(Clock::now() + wait, place);
  changed_.NotifyAll();
  return true;
}

void RetriedCalls::Report(std::size_t place, const End& end) {
  const Clock::time_point first_sent = *places_[place].first_sent;
  // The next call may start in this place meanwhile.
  listener_.CallEnded(
      place, {.sent = first_sent, .ended = end.ended, .status = end.status, .answer = end.answer});
}

void RetriedCalls::Run() {
  while (true) {
    std::size_t place = 0;
    bool is_cancelled = false;
    {
      const core::MutexLock lock(&mutex_);
      while (waiting_.empty() || (!is_cancelled_ && waiting_.begin()->first > Clock::now())) {
        if (is_ending_) {
          return;
        }
        if (waiting_.empty()) {
          changed_.Wait(&mutex_);
        } else {
          changed_.WaitUntil(&mutex_, waiting_.begin()->first);
        }
      }
      place = waiting_.begin()->second;
      waiting_.erase(waiting_.begin());
      is_cancelled = is_cancelled_;
    }
    Place& call = places_[place];
    if (is_cancelled) {
      const grpc::Status status = call.last_status;
      Report(place, {.sent = {}, .ended = Clock::now(), .status = status, .answer = {}});
      continue;
    }
    ++retries_;
    ++call.shift;
    tries_->Start(place, *call.request, call.shift);
  }
}

}  // namespace quantd::client
