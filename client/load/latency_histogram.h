// How long many calls took, in little memory.

#ifndef QUANTD_CLIENT_LOAD_LATENCY_HISTOGRAM_H_
#define QUANTD_CLIENT_LOAD_LATENCY_HISTOGRAM_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quantd::client {

// Counts times in bins that are as wide as they are long: 64 to each power of
// two, so that the middle of a bin is at most 1/128 (0.8 %) off, from a
// nanosecond to centuries. The method is that of HdrHistogram (Gil Tene).
class LatencyHistogram {
 public:
  // Times at least `from` and below `to`.
  struct Bin {
    std::chrono::nanoseconds from;
    std::chrono::nanoseconds to;
    std::uint64_t count = 0;
  };

  // Counts `time` `count` times; one below 0 counts as 0.
  void Add(std::chrono::nanoseconds time, std::uint64_t count = 1);
  // Counts all that `other` has counted.
  void Merge(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }

  // Exact. 0 where nothing was counted, as below.
  std::chrono::nanoseconds min() const { return min_; }
  std::chrono::nanoseconds max() const { return max_; }
  std::chrono::nanoseconds Mean() const;

  // The time that the share `quantile` (0..1) of the counted did not exceed (the
  // nearest rank), at most 0.8 % off. That of 1 is the maximum, exactly.
  std::chrono::nanoseconds Quantile(double quantile) const;

  // Those that are not empty, in order.
  std::vector<Bin> Bins() const;

  // How many lie between each of `edges`, which ascend, and the next; one fewer
  // than edges. A bin counts where its middle lies.
  std::vector<std::uint64_t> CountBetween(std::span<const std::chrono::nanoseconds> edges) const;

 private:
  // Grows with the longest time.
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds min_{0};
  std::chrono::nanoseconds max_{0};
  // In nanoseconds: 64 bits of integer end after a few hundred years of waiting.
  double sum_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_LATENCY_HISTOGRAM_H_
