#include "client/load/load_result.h"

#include <algorithm>
#include <thread>

#include "client/load/format.h"

namespace quantd::client {
namespace {

constexpr double kKeptShare = 0.99;

double PerSecond(std::uint64_t count, std::chrono::nanoseconds time) {
  return time.count() > 0 ? static_cast<double>(count) / Seconds(time) : 0;
}

}  // namespace

double LoadResult::ErrorRate() const {
  return calls > 0 ? static_cast<double>(errors) / static_cast<double>(calls) : 0;
}

double LoadResult::CallsPerSecond() const { return PerSecond(ok_calls(), time); }

double LoadResult::ElementsPerSecond() const { return PerSecond(elements, time); }

double LoadResult::GigabytesPerSecond() const {
  constexpr double kBytesPerGigabyte = 1e9;
  return PerSecond(tensor_bytes, time) / kBytesPerGigabyte;
}

double LoadResult::SentPerSecond() const { return PerSecond(calls, sending_time); }

double LoadResult::ClientCpuShare() const {
  const double processors = std::max(std::thread::hardware_concurrency(), 1U);
  return time.count() > 0 ? Seconds(client_cpu_time) / Seconds(time) / processors : 0;
}

bool LoadResult::IsSaturated() const {
  return plan.rate.has_value() && SentPerSecond() < kKeptShare * PerSecond(due, scheduled_time);
}

void LoadResult::Append(const LoadResult& next) {
  timeline.Append(next.timeline, time);
  time += next.time;
  calls += next.calls;
  errors += next.errors;
  for (const auto& [code, count] : next.status_codes) {
    status_codes[code] += count;
  }
  messages.insert(next.messages.begin(), next.messages.end());
  verified += next.verified;
  elements += next.elements;
  tensor_bytes += next.tensor_bytes;
  latency.Merge(next.latency);
  service_time.Merge(next.service_time);
  client_delay.Merge(next.client_delay);
  outages.Append(next.outages);
  retries += next.retries;
  due += next.due;
  late += next.late;
  unsent += next.unsent;
  sending_time += next.sending_time;
  scheduled_time += next.scheduled_time;
  client_cpu_time += next.client_cpu_time;
  is_interrupted = is_interrupted || next.is_interrupted;
}

}  // namespace quantd::client
