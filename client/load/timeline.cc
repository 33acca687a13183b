#include "client/load/timeline.h"

#include <algorithm>
#include <utility>

namespace quantd::client {
namespace {

void Add(const Timeline::Interval& from, Timeline::Interval& to) {
  to.calls += from.calls;
  to.errors += from.errors;
  to.latency.Merge(from.latency);
}

}  // namespace

void Timeline::AddCall(std::chrono::nanoseconds when, std::chrono::nanoseconds latency) {
  Interval& interval = At(when);
  ++interval.calls;
  interval.latency.Add(latency);
}

void Timeline::AddError(std::chrono::nanoseconds when) { ++At(when).errors; }

void Timeline::Append(const Timeline& other, std::chrono::nanoseconds begin) {
  std::chrono::nanoseconds when = begin;
  for (const Interval& interval : other.intervals_) {
    Add(interval, At(when));
    when += other.interval_length_;
  }
}

Timeline::Interval& Timeline::At(std::chrono::nanoseconds when) {
  when = std::max(when, std::chrono::nanoseconds::zero());
  while (when >= interval_length_ * kMaxIntervals) {
    HalveTheNumber();
  }
  const auto index = static_cast<std::size_t>(when / interval_length_);
  if (index >= intervals_.size()) {
    intervals_.resize(index + 1);
  }
  return intervals_[index];
}

void Timeline::HalveTheNumber() {
  std::vector<Interval> halved((intervals_.size() + 1) / 2);
  for (std::size_t index = 0; index < intervals_.size(); ++index) {
    Add(intervals_[index], halved[index / 2]);
  }
  intervals_ = std::move(halved);
  interval_length_ *= 2;
}

}  // namespace quantd::client
