#include "client/load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

namespace quantd::client {
namespace {

using std::chrono::nanoseconds;

constexpr unsigned kBinBits = 6;
constexpr std::uint64_t kBinsPerOctave = std::uint64_t{1} << kBinBits;

// The bins of the first two octaves are a nanosecond wide. In each later octave, they
// are twice as wide as in the one before.
std::size_t IndexOf(nanoseconds time) {
  const auto value = static_cast<std::uint64_t>(time.count());
  if (value < kBinsPerOctave) {
    return value;
  }
  const auto octave = static_cast<unsigned>(std::bit_width(value)) - 1 - kBinBits;
  return octave * kBinsPerOctave + (value >> octave);
}

// Returns the least time in a bin or, for the index after the last bin, the longest
// possible time.
nanoseconds StartOf(std::size_t index) {
  const std::uint64_t octave = std::max<std::uint64_t>(index / kBinsPerOctave, 1) - 1;
  const std::uint64_t within = index - octave * kBinsPerOctave;
  constexpr auto kLongest = static_cast<std::uint64_t>(nanoseconds::max().count());
  return nanoseconds(static_cast<std::int64_t>(std::min(within << octave, kLongest)));
}

}  // namespace

std::uint64_t RankOf(double quantile, std::uint64_t count) {
  // Compensates for rounding: 0.07 * 100 is slightly more than 7.
  constexpr double kRoundedDown = 1 - 1e-12;
  return static_cast<std::uint64_t>(
      std::ceil(quantile * static_cast<double>(count) * kRoundedDown));
}

void LatencyHistogram::Add(nanoseconds time, std::uint64_t count) {
  if (count == 0) {
    return;
  }
  time = std::max(time, nanoseconds::zero());
  const std::size_t index = IndexOf(time);
  if (index >= counts_.size()) {
    counts_.resize(index + 1);
  }
  counts_[index] += count;
  min_ = count_ == 0 ? time : std::min(min_, time);
  max_ = std::max(max_, time);
  count_ += count;
  sum_ += static_cast<double>(time.count()) * static_cast<double>(count);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.count_ == 0) {
    return;
  }
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  std::ranges::transform(other.counts_, counts_, counts_.begin(), std::plus<>());
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
}

nanoseconds LatencyHistogram::Mean() const {
  if (count_ == 0) {
    return nanoseconds::zero();
  }
  return nanoseconds(std::llround(sum_ / static_cast<double>(count_)));
}

nanoseconds LatencyHistogram::Quantile(double quantile) const {
  const std::uint64_t rank = RankOf(quantile, count_);
  if (rank >= count_) {
    return max_;
  }
  std::uint64_t seen = 0;
  for (std::size_t index = 0; index < counts_.size(); ++index) {
    seen += counts_[index];
    if (seen >= std::max<std::uint64_t>(rank, 1)) {
      const nanoseconds middle = StartOf(index) + (StartOf(index + 1) - StartOf(index)) / 2;
      return std::clamp(middle, min_, max_);
    }
  }
  return max_;
}

std::vector<LatencyHistogram::Bin> LatencyHistogram::Bins() const {
  std::vector<Bin> bins;
  for (std::size_t index = 0; index < counts_.size(); ++index) {
    if (counts_[index] > 0) {
      bins.push_back({.from = StartOf(index), .to = StartOf(index + 1), .count = counts_[index]});
    }
  }
  return bins;
}

std::vector<std::uint64_t> LatencyHistogram::CountBetween(
    std::span<const nanoseconds> edges) const {
  std::vector<std::uint64_t> counts(std::max<std::size_t>(edges.size(), 1) - 1);
  for (const Bin& bin : Bins()) {
    const auto above = std::ranges::upper_bound(edges, bin.from + (bin.to - bin.from) / 2);
    if (above != edges.begin() && above != edges.end()) {
      counts[static_cast<std::size_t>(above - edges.begin()) - 1] += bin.count;
    }
  }
  return counts;
}

}  // namespace quantd::client
