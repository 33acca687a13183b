// Counts the durations of many calls in little memory.

#ifndef QUANTD_CLIENT_LOAD_LATENCY_HISTOGRAM_H_
#define QUANTD_CLIENT_LOAD_LATENCY_HISTOGRAM_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quantd::client {

// Returns which of `count` values in ascending order, counted from 1, is the quantile
// (0..1) by the nearest rank; 0 for the quantile 0.
std::uint64_t RankOf(double quantile, std::uint64_t count);

// Counts times in bins whose width grows with the time. There are 64 bins per power
// of two, so that the middle of a bin is off by at most 1/128 (0.8 %), from a
// nanosecond to centuries. This is the method of HdrHistogram (Gil Tene).
class LatencyHistogram {
 public:
  // The number of times that are at least `from` and below `to`.
  struct Bin {
    std::chrono::nanoseconds from;
    std::chrono::nanoseconds to;
    std::uint64_t count = 0;
  };

  // Counts `time` `count` times. A time below 0 counts as 0.
  void Add(std::chrono::nanoseconds time, std::uint64_t count = 1);
  // Adds everything that `other` has counted.
  void Merge(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }

  // The exact minimum and maximum. This and all figures below are 0 if nothing was
  // counted.
  std::chrono::nanoseconds min() const { return min_; }
  std::chrono::nanoseconds max() const { return max_; }
  std::chrono::nanoseconds Mean() const;

  // Returns the time that a share of `quantile` (0..1) of the counted times does not
  // exceed, by the nearest rank. It is off by at most 0.8 %; the quantile 1 is the
  // exact maximum.
  std::chrono::nanoseconds Quantile(double quantile) const;

  // Returns the bins that are not empty, in order.
  std::vector<Bin> Bins() const;

  // Returns how many times lie between each of the ascending `edges` and the next
  // one; the result has one element fewer than `edges`. The middle of a bin decides
  // where its times are counted.
  std::vector<std::uint64_t> CountBetween(std::span<const std::chrono::nanoseconds> edges) const;

 private:
  // The counts per bin, up to the bin of the longest time.
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds min_{0};
  std::chrono::nanoseconds max_{0};
  // In nanoseconds. A 64-bit integer would overflow after a few hundred years of
  // waiting.
  double sum_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LATENCY_HISTOGRAM_H_
