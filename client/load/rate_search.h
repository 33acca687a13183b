// The highest rate that a server bears.

#ifndef QUANTD_CLIENT_LOAD_RATE_SEARCH_H_
#define QUANTD_CLIENT_LOAD_RATE_SEARCH_H_

#include <functional>
#include <optional>
#include <vector>

#include "client/load/latency_figure.h"
#include "client/load/load_result.h"

namespace quantd::client {

// A rate that was tried.
struct RateTrial {
  LoadResult result;
  // The last windows agreed with each other: see FindMaxRate().
  bool is_stable = false;
  // The target was kept, and so was the rate, and no call failed.
  bool holds = false;
};

struct RateSearchResult {
  // In the order in which they were made.
  std::vector<RateTrial> trials;
  // The one with the highest rate that holds; nothing where none does.
  std::optional<std::size_t> best;
};

// Runs one window of a load at a rate; at no rate, in a closed loop.
using MeasureWindow = std::function<LoadResult(std::optional<double> rate)>;

// Finds the highest rate at which `target` is kept, to 2 %. Starts from the rate
// that a closed loop reaches, goes up as long as the target is kept, and then
// halves the interval between the highest rate that holds and the lowest that
// does not.
//
// Each rate is measured in windows until the last three lie within 10 % of each
// other, in calls a second and in the target's figure (the rule of Triton's
// perf_analyzer), but ten at most; these three are the trial's result. Two
// windows in a row that are beyond doubt (not even the rate is kept, or twice the
// target missed) end a trial early.
//
// Ends early, with what it has, after a window that was interrupted.
RateSearchResult FindMaxRate(const MeasureWindow& measure, const LatencyTarget& target);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_RATE_SEARCH_H_
