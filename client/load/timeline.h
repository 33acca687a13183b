// How a run went, piece by piece.

#ifndef QUANTD_CLIENT_LOAD_TIMELINE_H_
#define QUANTD_CLIENT_LOAD_TIMELINE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "client/load/latency_histogram.h"

namespace quantd::client {

// Cuts a run of any length into at most kMaxIntervals intervals of equal length:
// from 100 ms on, doubled whenever there would be too many.
class Timeline {
 public:
  static constexpr std::size_t kMaxIntervals = 120;

  // What ended within an interval.
  struct Interval {
    std::uint64_t calls = 0;
    std::uint64_t errors = 0;
    LatencyHistogram latency;
  };

  // Takes note of a call that ended `when` after the run's begin.
  void AddCall(std::chrono::nanoseconds when, std::chrono::nanoseconds latency);
  void AddError(std::chrono::nanoseconds when);

  // Takes note of another run that began where this one ended.
  void Append(const Timeline& other, std::chrono::nanoseconds begin);

  std::chrono::nanoseconds interval_length() const { return interval_length_; }
  // From the run's begin on; the last one may not be over.
  const std::vector<Interval>& intervals() const { return intervals_; }

 private:
  Interval& At(std::chrono::nanoseconds when);
  void HalveTheNumber();

  std::chrono::nanoseconds interval_length_ = std::chrono::milliseconds(100);
  std::vector<Interval> intervals_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_TIMELINE_H_
