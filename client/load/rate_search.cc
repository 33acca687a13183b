#include "client/load/rate_search.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>

namespace quantd::client {
namespace {

constexpr std::size_t kClosedLoopWindows = 3;
constexpr std::size_t kStableWindows = 3;
constexpr std::size_t kMaxWindows = 10;
// The second and third trial of a rate are shorter, which bounds the time of a search.
constexpr std::size_t kMaxTrials = 3;
constexpr std::size_t kMaxWindowsOfRepetition = 5;
constexpr double kStableWithin = 0.1;
constexpr std::size_t kHopelessWindows = 2;
constexpr double kPrecision = 0.02;
// Rates below this share of what a closed loop reaches are not tried.
constexpr double kLeastShare = 1e-3;
// The factor by which the rate is raised per step.
constexpr double kGrowth = 1.5;

// Whether the greatest figure is within kStableWithin of the least.
bool Agree(std::span<const LoadResult> windows,
           const std::function<double(const LoadResult&)>& figure) {
  std::vector<double> figures;
  std::ranges::transform(windows, std::back_inserter(figures), figure);
  const auto [least, largest] = std::ranges::minmax_element(figures);
  return *largest <= (1 + kStableWithin) * *least;
}

bool IsInterrupted(std::span<const LoadResult> windows) { return windows.back().is_interrupted; }

class RateSearch {
 public:
  RateSearch(const MeasureWindow& measure, const LatencyTarget& target)
      : measure_(measure), target_(target) {}

  RateSearchResult Run() && {
    const double reached = MeasureClosedLoop();
    if (is_interrupted_ || reached <= 0) {
      return std::move(found_);
    }
    double too_high = reached;
    while (IsKept(too_high)) {
      highest_ = too_high;
      too_high *= kGrowth;
    }
    while (!is_interrupted_ && too_high - highest_ > kPrecision * too_high &&
           too_high > kLeastShare * reached) {
      const double middle = (highest_ + too_high) / 2;
      (IsKept(middle) ? highest_ : too_high) = middle;
    }
    return std::move(found_);
  }

 private:
  // Returns the most calls per second of several windows: what else the machine does can
  // only make it look slower than it is.
  double MeasureClosedLoop() {
    double reached = 0;
    for (std::size_t window = 0; window < kClosedLoopWindows && !is_interrupted_; ++window) {
      const LoadResult closed_loop = measure_(std::nullopt);
      is_interrupted_ = closed_loop.is_interrupted;
      reached = std::max(reached, closed_loop.CallsPerSecond());
    }
    return reached;
  }

  // Returns whether one of several trials holds, for the same reason.
  bool IsKept(double rate) {
    for (std::size_t trial = 0; trial < kMaxTrials && !is_interrupted_; ++trial) {
      if (Try(rate, trial == 0 ? kMaxWindows : kMaxWindowsOfRepetition)) {
        return true;
      }
    }
    return false;
  }

  // Measures a rate and returns whether it holds.
  bool Try(double rate, std::size_t max_windows) {
    std::vector<LoadResult> windows;
    bool is_stable = false;
    do {
      windows.push_back(measure_(rate));
      is_stable = IsStable(windows);
    } while (!is_stable && windows.size() < max_windows && !IsHopeless(windows) &&
             !IsInterrupted(windows));
    is_interrupted_ = IsInterrupted(windows);
    if (is_interrupted_) {
      return false;
    }
    const auto last = std::span(windows).last(std::min(windows.size(), kStableWindows));
    RateTrial trial{.result = last.front(), .is_stable = is_stable, .holds = false};
    for (const LoadResult& window : last.subspan(1)) {
      trial.result.Append(window);
    }
    trial.holds = Holds(trial.result);
    if (trial.holds) {
      found_.best = found_.trials.size();
    }
    found_.trials.push_back(std::move(trial));
    return found_.trials.back().holds;
  }

  bool IsStable(std::span<const LoadResult> windows) const {
    if (windows.size() < kStableWindows) {
      return false;
    }
    const auto last = windows.last(kStableWindows);
    return Agree(last, &LoadResult::CallsPerSecond) &&
           Agree(last, [this](const LoadResult& window) {
             return static_cast<double>(target_.figure.Of(window.latency).count());
           });
  }

  bool IsHopeless(std::span<const LoadResult> windows) const {
    return windows.size() >= kHopelessWindows &&
           std::ranges::all_of(windows.last(kHopelessWindows), [this](const LoadResult& window) {
             return window.IsSaturated() || target_.figure.Of(window.latency) / 2 > target_.limit;
           });
  }

  bool Holds(const LoadResult& result) const {
    return result.errors == 0 && !result.IsSaturated() && target_.IsKeptBy(result.latency);
  }

  const MeasureWindow& measure_;
  const LatencyTarget& target_;
  RateSearchResult found_;
  double highest_ = 0;
  bool is_interrupted_ = false;
};

}  // namespace

RateSearchResult FindMaxRate(const MeasureWindow& measure, const LatencyTarget& target) {
  return RateSearch(measure, target).Run();
}

}  // namespace quantd::client
