// Records how a run went over time.

#ifndef QUANTD_CLIENT_LOAD_TIMELINE_H_
#define QUANTD_CLIENT_LOAD_TIMELINE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/load/latency_histogram.h"

namespace quantd::client {

// Divides a run of any length into at most kMaxIntervals intervals of equal length. The
// length starts at 100 ms, and doubles whenever there would be too many intervals.
class Timeline {
 public:
  static constexpr std::size_t kMaxIntervals = 120;

  // The calls that ended within an interval.
  struct Interval {
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    LatencyHistogram latency;
  };

  // Records a call that ended `when` after the start of the run.
  void AddCall(std::chrono::nanoseconds when, std::chrono::nanoseconds latency);
  void AddError(std::chrono::nanoseconds when);

  // Appends another run, which started `begin` after the start of this one.
  void Append(const Timeline& other, std::chrono::nanoseconds begin);

  std::chrono::nanoseconds interval_length() const { return interval_length_; }
  // The intervals from the start of the run; the last one may be incomplete.
  const std::vector<Interval>& intervals() const { return intervals_; }

 private:
  Interval& At(std::chrono::nanoseconds when);
  void HalveTheNumber();

  std::chrono::nanoseconds interval_length_ = std::chrono::milliseconds(100);
  std::vector<Interval> intervals_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_TIMELINE_H_
