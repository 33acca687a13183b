#include "client/load/rate_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;
using ::testing::SizeIs;

// A server that is an M/M/1 queue and serves `capacity` calls per second. Above that
// rate, latencies grow without limit.
struct SimulatedServer {
  double capacity = 1000;
  // The rate that a closed loop reaches.
  double closed_loop_rate = 900;
  // The rates that were measured, in order; 0 for a closed loop.
  std::vector<double> rates = {};

  // Measures a window of 10 s.
  LoadResult Measure(std::optional<double> rate) {
    constexpr seconds kWindow(10);
    rates.push_back(rate.value_or(0));
    const double served = std::min(rate.value_or(closed_loop_rate), capacity);
    LoadResult result;
    result.plan.rate = rate;
    result.time = kWindow;
    result.sending_time = kWindow;
    result.scheduled_time = kWindow;
    result.calls = static_cast<std::uint64_t>(std::llround(served * kWindow.count()));
    result.due = static_cast<std::uint64_t>(std::llround(rate.value_or(0) * kWindow.count()));
    const double mean = served < capacity ? 1 / (capacity - served) : 1e3;
    constexpr int kSamples = 1000;
    for (int sample = 0; sample < kSamples; ++sample) {
      const double share = (sample + 0.5) / kSamples;
      result.latency.Add(std::chrono::duration_cast<nanoseconds>(
          std::chrono::duration<double>(-std::log(1 - share) * mean)));
    }
    return result;
  }

  // Returns the highest rate at which `quantile` of the latencies are below `limit`.
  double MaxRate(double quantile, std::chrono::duration<double> limit) const {
    return capacity + std::log(1 - quantile) / limit.count();
  }
};

// Returns the result of a search in which `edit` changes the results of the windows,
// which are numbered from 0.
RateSearchResult Search(SimulatedServer& server, const LatencyTarget& target,
                        const std::function<void(std::size_t window, LoadResult&)>& edit = {}) {
  return FindMaxRate(
      [&](std::optional<double> rate) {
        LoadResult result = server.Measure(rate);
        if (edit) {
          edit(server.rates.size() - 1, result);
        }
        return result;
      },
      target);
}

double Rate(const RateTrial& trial) { return trial.result.plan.rate.value(); }

constexpr LatencyTarget kTarget = {.figure = {.quantile = 0.99}, .limit = milliseconds(50)};

TEST(FindMaxRate, FindsTheRateWithinTwoPercentFromAnyStart) {
  for (const double capacity : {7.0, 1000.0, 3e5}) {
    for (const double closed_loop_share : {0.01, 0.5, 0.95, 1.0}) {
      for (const LatencyTarget& target :
           {kTarget, LatencyTarget{.figure = {.quantile = 0.5}, .limit = seconds(1)}}) {
        SimulatedServer server{.capacity = capacity,
                               .closed_loop_rate = closed_loop_share * capacity};
        const double max_rate = server.MaxRate(*target.figure.quantile, target.limit);
        if (max_rate <= 0) {
          continue;
        }
        const RateSearchResult found = Search(server, target);
        ASSERT_TRUE(found.best.has_value());
        // The histogram, and thus the latency that is compared, is off by up to 0.8 %.
        EXPECT_THAT(Rate(found.trials[*found.best]),
                    AllOf(Ge(0.97 * max_rate), Le(1.001 * max_rate)))
            << capacity << " " << closed_loop_share;
        // The search multiplies by 1.5, starting from a hundredth, and then halves. Rates that
        // fail have three trials.
        EXPECT_THAT(found.trials, SizeIs(Le(36U)));
        EXPECT_THAT(server.rates, SizeIs(Le(200U)));
      }
    }
  }
}

TEST(FindMaxRate, ReturnsTheHighestRateThatHolds) {
  SimulatedServer server;
  const RateSearchResult found = Search(server, kTarget);
  ASSERT_TRUE(found.best.has_value());
  EXPECT_TRUE(found.trials[*found.best].holds);
  for (const RateTrial& trial : found.trials) {
    EXPECT_EQ(trial.holds, Rate(trial) <= Rate(found.trials[*found.best])) << Rate(trial);
  }
}

TEST(FindMaxRate, StartsFromTheRateOfAClosedLoop) {
  SimulatedServer server;
  const RateSearchResult found = Search(server, kTarget);
  EXPECT_EQ(std::ranges::count(server.rates, 0), 3);
  EXPECT_EQ(server.rates[3], server.closed_loop_rate);
  EXPECT_EQ(Rate(found.trials.front()), server.closed_loop_rate);
}

TEST(FindMaxRate, StartsFromTheBestWindowOfTheClosedLoop) {
  for (const std::size_t good_window : {0U, 1U, 2U}) {
    SimulatedServer server;
    const RateSearchResult found =
        Search(server, kTarget, [&](std::size_t window, LoadResult& result) {
          if (window < 3 && window != good_window) {
            result.calls /= 100;
          }
        });
    EXPECT_EQ(Rate(found.trials.front()), server.closed_loop_rate);
  }
}

TEST(FindMaxRate, TriesARateAgainBeforeItGivesItUp) {
  // The machine does something else whenever a rate is tried for the first time or, in the
  // other search, for the first two times.
  for (const std::size_t disturbed_windows : {2U, 4U}) {
    SimulatedServer server;
    const RateSearchResult found =
        Search(server, kTarget, [&](std::size_t window, LoadResult& result) {
          const double rate = server.rates[window];
          if (rate > 0 && std::ranges::count(server.rates, rate) <=
                              static_cast<std::ptrdiff_t>(disturbed_windows)) {
            result.latency.Add(seconds(1), 1000);
          }
        });
    ASSERT_TRUE(found.best.has_value());
    EXPECT_THAT(Rate(found.trials[*found.best]),
                AllOf(Ge(0.97 * server.MaxRate(0.99, kTarget.limit)),
                      Le(1.001 * server.MaxRate(0.99, kTarget.limit))));
  }
}

TEST(FindMaxRate, GivesARateUpAfterThreeTrials) {
  SimulatedServer server{.closed_loop_rate = 1000};
  const RateSearchResult found = Search(server, kTarget);
  EXPECT_EQ(std::ranges::count(found.trials, 1000, Rate), 3);
}

TEST(FindMaxRate, RepeatsATrialWithAtMostFiveWindows) {
  SimulatedServer server{.closed_loop_rate = 500};
  // No two windows agree, and the target is missed a little.
  Search(server, kTarget, [&](std::size_t window, LoadResult& result) {
    result.latency.Add(milliseconds(60 + 30 * static_cast<int>(window % 2)), 100'000);
  });
  EXPECT_EQ(std::ranges::count(server.rates, 500), 10 + 5 + 5);
}

TEST(FindMaxRate, FindsNoRateIfNothingHolds) {
  SimulatedServer server;
  const RateSearchResult found =
      Search(server, {.figure = {.quantile = 0.5}, .limit = nanoseconds(1)});
  EXPECT_FALSE(found.best.has_value());
  ASSERT_THAT(found.trials, SizeIs(Ge(5U)));
  EXPECT_LT(Rate(found.trials.back()), 0.01 * server.closed_loop_rate);
}

TEST(FindMaxRate, TriesNothingIfTheClosedLoopHadOnlyErrors) {
  SimulatedServer server;
  const RateSearchResult found = Search(
      server, kTarget, [](std::size_t, LoadResult& result) { result.errors = result.calls; });
  EXPECT_THAT(found.trials, IsEmpty());
  EXPECT_FALSE(found.best.has_value());
}

TEST(FindMaxRate, RejectsRatesAtWhichACallFailed) {
  SimulatedServer server;
  const RateSearchResult found =
      Search(server, kTarget, [](std::size_t, LoadResult& result) { result.errors = 1; });
  EXPECT_FALSE(found.best.has_value());
  EXPECT_FALSE(found.trials.front().holds);
}

TEST(FindMaxRate, MeasuresThreeWindowsThatAgree) {
  SimulatedServer server{.closed_loop_rate = 500};
  const RateSearchResult found = Search(server, kTarget);
  const RateTrial& first = found.trials.front();
  EXPECT_TRUE(first.is_stable);
  EXPECT_EQ(first.result.calls, 3 * 500U * 10);
  EXPECT_EQ(first.result.time, seconds(30));
  EXPECT_EQ(std::ranges::count(server.rates, 500), 3);
}

TEST(FindMaxRate, LeavesOutTheWindowsBeforeTheyAgree) {
  SimulatedServer server{.closed_loop_rate = 500};
  const RateSearchResult found =
      Search(server, kTarget, [](std::size_t window, LoadResult& result) {
        // The server is warming up: the latency is doubled twice, but still meets the
        // target.
        if (window == 3 || window == 4) {
          result.latency.Add(milliseconds(20 * static_cast<int>(window - 2)), 10'000);
        }
      });
  const RateTrial& first = found.trials.front();
  EXPECT_TRUE(first.is_stable);
  EXPECT_EQ(std::ranges::count(server.rates, 500), 5);
  EXPECT_EQ(first.result.time, seconds(30));
  EXPECT_EQ(first.result.latency.count(), 3000U);
}

TEST(FindMaxRate, GivesUpIfWindowsNeverAgree) {
  for (const bool is_rate_unstable : {true, false}) {
    SimulatedServer server{.closed_loop_rate = 500};
    const RateSearchResult found =
        Search(server, kTarget, [&](std::size_t window, LoadResult& result) {
          if (window % 2 == 0) {
            return;
          }
          if (is_rate_unstable) {
            result.time = seconds(12);
          } else {
            result.latency.Add(milliseconds(20), 100'000);
          }
        });
    EXPECT_FALSE(found.trials.front().is_stable);
    EXPECT_TRUE(found.trials.front().holds);
    EXPECT_EQ(std::ranges::count(server.rates, 500), 10);
    EXPECT_GE(found.trials.front().result.time, seconds(30));
    EXPECT_LT(found.trials.front().result.time, seconds(40));
  }
}

TEST(FindMaxRate, EndsATrialAfterTwoWindowsThatClearlyFail) {
  // The closed loop reaches the capacity, at which the queue grows without limit.
  SimulatedServer server{.closed_loop_rate = 1000};
  const RateSearchResult missed = Search(server, kTarget);
  EXPECT_FALSE(missed.trials.front().is_stable);
  EXPECT_FALSE(missed.trials.front().holds);
  EXPECT_EQ(std::ranges::count(server.rates, 1000), 3 * 2);

  SimulatedServer fast{.capacity = 1e9, .closed_loop_rate = 500};
  const RateSearchResult saturated =
      Search(fast, kTarget, [](std::size_t, LoadResult& result) { result.sending_time *= 2; });
  EXPECT_FALSE(saturated.best.has_value());
  EXPECT_EQ(std::ranges::count(fast.rates, 500), 3 * 2);
}

TEST(FindMaxRate, ContinuesATrialWhenWindowsMissTheTargetSlightly) {
  SimulatedServer server;
  server.closed_loop_rate = server.MaxRate(0.99, milliseconds(90));
  const RateSearchResult found = Search(server, kTarget);
  EXPECT_TRUE(found.trials.front().is_stable);
  EXPECT_FALSE(found.trials.front().holds);
  EXPECT_EQ(std::ranges::count(server.rates, server.rates[3]), 3 * 3);
}

TEST(FindMaxRate, FindsTheCapacityIfTheTargetIsUnlimited) {
  SimulatedServer server;
  const RateSearchResult found =
      Search(server, {.figure = {.quantile = 1}, .limit = nanoseconds::max()});
  ASSERT_TRUE(found.best.has_value());
  EXPECT_TRUE(found.trials[*found.best].is_stable);
  EXPECT_THAT(Rate(found.trials[*found.best]), AllOf(Ge(970), Le(1011)));
}

TEST(FindMaxRate, ReturnsTheTrialsSoFarAfterAnInterruption) {
  SimulatedServer server;
  const RateSearchResult whole = Search(server, kTarget);
  for (std::size_t last = 0; last < server.rates.size(); ++last) {
    SCOPED_TRACE(last);
    SimulatedServer interrupted;
    const RateSearchResult found = Search(
        interrupted, kTarget,
        [&](std::size_t window, LoadResult& result) { result.is_interrupted = window == last; });
    EXPECT_THAT(interrupted.rates, SizeIs(last + 1));
    ASSERT_THAT(found.trials, SizeIs(Lt(whole.trials.size())));
    for (std::size_t trial = 0; trial < found.trials.size(); ++trial) {
      EXPECT_FALSE(found.trials[trial].result.is_interrupted);
      EXPECT_EQ(Rate(found.trials[trial]), Rate(whole.trials[trial]));
    }
    EXPECT_EQ(found.best.has_value(), std::ranges::any_of(found.trials, &RateTrial::holds));
  }
}

}  // namespace
}  // namespace quantd::client
