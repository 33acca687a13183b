#include "bench/measurement.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <ctime>

namespace quantd::bench {
namespace {

std::optional<Seconds> ReadClock(clockid_t clock) {
  std::timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::optional<Seconds> CpuTime(pid_t process) {
  clockid_t clock{};
  if (clock_getcpuclockid(process, &clock) != 0) {
    return std::nullopt;
  }
  return ReadClock(clock);
}

}  // namespace

Seconds MeasurementResult::Latency(double quantile) const {
  assert(!latencies.empty());
  const double rank = std::ceil(quantile * static_cast<double>(latencies.size()));
  return latencies[std::max<std::size_t>(static_cast<std::size_t>(rank), 1) - 1];
}

bool Measurement::CallEnded(Clock::time_point start) {
  const Clock::time_point now = Clock::now();
  const core::MutexLock lock(&mutex_);
  if (end_.has_value()) {
    return false;
  }
  if (!begin_.has_value()) {
    ++warmup_calls_;
    if (now - warmup_begin_ >= limits_.warmup && warmup_calls_ >= limits_.in_flight) {
      begin_ = Now();
    }
    return true;
  }
  latencies_.emplace_back(now - start);
  if (now - begin_->time < limits_.duration || latencies_.size() < limits_.calls ||
      latencies_.size() % limits_.in_flight != 0) {
    return true;
  }
  end_ = Now();
  return false;
}

MeasurementResult Measurement::Result() const {
  const core::MutexLock lock(&mutex_);
  assert(end_.has_value());
  MeasurementResult result{.time = end_->time - begin_->time,
                           .latencies = latencies_,
                           .client_cpu_time = end_->client_cpu_time - begin_->client_cpu_time,
                           .server_cpu_time = std::nullopt};
  std::ranges::sort(result.latencies);
  if (begin_->server_cpu_time.has_value() && end_->server_cpu_time.has_value()) {
    result.server_cpu_time = *end_->server_cpu_time - *begin_->server_cpu_time;
  }
  return result;
}

Measurement::Moment Measurement::Now() const {
  return {.time = Clock::now(),
          .client_cpu_time = ReadClock(CLOCK_PROCESS_CPUTIME_ID).value_or(Seconds::zero()),
          .server_cpu_time = server_.has_value() ? CpuTime(*server_) : std::nullopt};
}

}  // namespace quantd::bench
