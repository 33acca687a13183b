// Finds the highest rate that a server sustains.

#ifndef QUANTD_CLIENT_LOAD_RATE_SEARCH_H_
#define QUANTD_CLIENT_LOAD_RATE_SEARCH_H_

#include <functional>
#include <optional>
#include <vector>

#include "client/load/latency_figure.h"
#include "client/load/load_result.h"

namespace quantd::client {

// The trial of a rate. A rate may have several: see FindMaxRate().
struct RateTrial {
  LoadResult result;
  // Whether the last windows agreed with each other: see FindMaxRate().
  bool is_stable = false;
  // Whether the target and the rate were met and no call failed.
  bool holds = false;
};

struct RateSearchResult {
  // In chronological order.
  std::vector<RateTrial> trials;
  // The index of the trial that holds, with the highest rate of those; nullopt if none does.
  std::optional<std::size_t> best;
};

// Runs one window of a load at `rate`, or in a closed loop if it is nullopt.
using MeasureWindow = std::function<LoadResult(std::optional<double> rate)>;

// Finds the highest rate that meets `target`, to within 2 %. Starts from the rate that
// a closed loop reaches in the best of three windows, raises it for as long as the target
// is met, and then halves the interval between the highest rate that holds and the
// lowest rate that does not.
//
// Each rate is measured in windows until the last three lie within 10 % of each other,
// in calls per second and in the target's figure (the rule of Triton's perf_analyzer),
// or until there are ten windows. The last three windows are the trial's result. Two
// windows in a row that clearly fail (the rate was missed, or the target exceeded
// twofold) end a trial early.
//
// A rate is given up only if three trials in a row fail, of which the second and third
// have at most five windows. One that holds is enough: whatever else a machine does makes
// latencies longer and never shorter, so a trial can fail for no fault of the server's, but
// not hold. A rate takes at most 20 windows, and 3 to 6 if its trials are clear; between
// the rate of the closed loop and the least that is tried, a thousandth of it, lie at most
// ten halvings, and six if one rate holds.
//
// After a window that was interrupted, the search ends early and returns the trials so
// far.
RateSearchResult FindMaxRate(const MeasureWindow& measure, const LatencyTarget& target);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_RATE_SEARCH_H_
