#include "client/load/latency_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace quantd::client {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Times = std::vector<nanoseconds>;

LatencyHistogram Count(const Times& times) {
  LatencyHistogram histogram;
  for (const nanoseconds time : times) {
    histogram.Add(time);
  }
  return histogram;
}

// Typical distributions of service times, from nanoseconds to minutes.
std::map<std::string, Times> ManyKindsOfTimes() {
  std::mt19937_64 random(5);  // NOLINT(bugprone-random-generator-seed)
  const auto draw = [&](const std::function<double()>& next) {
    constexpr std::size_t kCount = 100'000;
    constexpr double kLongest = 600e9;
    Times times(kCount);
    std::ranges::generate(
        times, [&] { return nanoseconds(std::llround(std::clamp(next(), 0.0, kLongest))); });
    return times;
  };
  std::map<std::string, Times> times;
  for (const double typical : {1.0, 50.0, 1e3, 1e6, 1e9, 60e9}) {
    std::lognormal_distribution<double> log_normal(std::log(typical), 1);
    times["log-normal about " + std::to_string(typical)] = draw([&] { return log_normal(random); });
  }
  std::uniform_real_distribution<double> uniform(0, 1e6);
  times["uniform"] = draw([&] { return uniform(random); });
  std::normal_distribution<double> hit(2e4, 1e3);
  std::normal_distribution<double> miss(8e6, 1e5);
  std::bernoulli_distribution is_miss(0.02);
  times["bimodal"] = draw([&] { return is_miss(random) ? miss(random) : hit(random); });
  std::uniform_real_distribution<double> share(1e-12, 1);
  times["heavy-tailed"] = draw([&] { return 1e3 / share(random); });
  times["constant"] = draw([] { return 1'234'567; });
  times["one"] = {nanoseconds(987'654'321)};
  return times;
}

TEST(LatencyHistogram, PercentilesAreWithinOnePercentOfTheExactOnes) {
  constexpr std::array<std::size_t, 10> kBasisPoints = {0,    1,    100,  5000, 9000,
                                                        9500, 9900, 9990, 9999, 10'000};
  for (auto& [kind, times] : ManyKindsOfTimes()) {
    SCOPED_TRACE(kind);
    const LatencyHistogram histogram = Count(times);
    std::ranges::sort(times);
    for (const std::size_t basis_points : kBasisPoints) {
      SCOPED_TRACE(basis_points);
      const std::size_t rank = (times.size() * basis_points + 9999) / 10'000;
      const nanoseconds exact = times[std::max<std::size_t>(rank, 1) - 1];
      const nanoseconds actual = histogram.Quantile(static_cast<double>(basis_points) / 10'000);
      EXPECT_LE(std::chrono::abs(actual - exact), exact / 100)
          << actual.count() << " ns instead of " << exact.count();
    }
    EXPECT_EQ(histogram.Quantile(1), times.back());
  }
}

TEST(LatencyHistogram, TheNthPercentileOfAHundredIsTheNthOfThem) {
  LatencyHistogram histogram;
  for (int rank = 1; rank <= 100; ++rank) {
    histogram.Add(nanoseconds(rank));
  }
  for (int percent = 1; percent <= 100; ++percent) {
    EXPECT_EQ(histogram.Quantile(percent / 100.0), nanoseconds(percent));
  }
}

TEST(LatencyHistogram, CountMinMaxAndMeanAreExact) {
  for (const auto& [kind, times] : ManyKindsOfTimes()) {
    SCOPED_TRACE(kind);
    const LatencyHistogram histogram = Count(times);
    EXPECT_EQ(histogram.count(), times.size());
    EXPECT_EQ(histogram.min(), *std::ranges::min_element(times));
    EXPECT_EQ(histogram.max(), *std::ranges::max_element(times));
    const nanoseconds sum = std::accumulate(times.begin(), times.end(), nanoseconds(0));
    EXPECT_NEAR(static_cast<double>(histogram.Mean().count()),
                static_cast<double>(sum.count()) / static_cast<double>(times.size()), 0.51);
  }
}

TEST(LatencyHistogram, BinsContainAllCountsInOrder) {
  for (auto& [kind, times] : ManyKindsOfTimes()) {
    SCOPED_TRACE(kind);
    const LatencyHistogram histogram = Count(times);
    std::ranges::sort(times);
    std::uint64_t count = 0;
    nanoseconds end(0);
    for (const LatencyHistogram::Bin& bin : histogram.Bins()) {
      EXPECT_LE(end, bin.from);
      EXPECT_LT(bin.from, bin.to);
      EXPECT_EQ(bin.count, std::ranges::lower_bound(times, bin.to) -
                               std::ranges::lower_bound(times, bin.from));
      count += bin.count;
      end = bin.to;
    }
    EXPECT_EQ(count, times.size());
  }
}

TEST(LatencyHistogram, MergedHistogramsEqualOneThatCountedEverything) {
  const auto kinds = ManyKindsOfTimes();
  LatencyHistogram merged;
  LatencyHistogram whole;
  merged.Merge(LatencyHistogram());
  for (const auto& [kind, times] : kinds) {
    merged.Merge(Count(times));
    merged.Merge(LatencyHistogram());
    std::ranges::for_each(times, [&](nanoseconds time) { whole.Add(time); });
  }
  EXPECT_EQ(merged.count(), whole.count());
  EXPECT_EQ(merged.min(), whole.min());
  EXPECT_EQ(merged.max(), whole.max());
  EXPECT_NEAR(static_cast<double>(merged.Mean().count()), static_cast<double>(whole.Mean().count()),
              1);
  const auto fields = [](const LatencyHistogram& histogram) {
    std::vector<std::array<std::int64_t, 3>> bins;
    for (const LatencyHistogram::Bin& bin : histogram.Bins()) {
      bins.push_back({bin.from.count(), bin.to.count(), static_cast<std::int64_t>(bin.count)});
    }
    return bins;
  };
  EXPECT_EQ(fields(merged), fields(whole));
}

TEST(LatencyHistogram, CountsATimeSeveralTimes) {
  LatencyHistogram histogram;
  histogram.Add(seconds(1), 99);
  histogram.Add(seconds(101));
  histogram.Add(seconds(1000), 0);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.Mean(), seconds(2));
  EXPECT_LT(histogram.Quantile(0.99), seconds(2));
  EXPECT_EQ(histogram.max(), seconds(101));
}

TEST(LatencyHistogram, IsAllZeroIfNothingWasCounted) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), seconds(0));
  EXPECT_EQ(histogram.max(), seconds(0));
  EXPECT_EQ(histogram.Mean(), seconds(0));
  EXPECT_EQ(histogram.Quantile(0.5), seconds(0));
  EXPECT_THAT(histogram.Bins(), IsEmpty());
}

TEST(LatencyHistogram, CountsATimeBelowZeroAsZero) {
  LatencyHistogram histogram;
  histogram.Add(seconds(-5));
  histogram.Add(nanoseconds(10));
  EXPECT_EQ(histogram.min(), seconds(0));
  EXPECT_EQ(histogram.Mean(), nanoseconds(5));
  EXPECT_EQ(histogram.Quantile(0.5), seconds(0));
  EXPECT_EQ(histogram.Bins().front().from, seconds(0));
}

TEST(LatencyHistogram, AcceptsTheLongestPossibleTime) {
  const LatencyHistogram histogram = Count({nanoseconds(1), nanoseconds::max()});
  EXPECT_EQ(histogram.max(), nanoseconds::max());
  const LatencyHistogram::Bin last = histogram.Bins().back();
  EXPECT_LT(last.from, last.to);
}

TEST(LatencyHistogram, CountsTimesBetweenEdges) {
  const LatencyHistogram histogram =
      Count({nanoseconds(9), nanoseconds(10), nanoseconds(11), nanoseconds(20), nanoseconds(25),
             nanoseconds(30), nanoseconds(31)});
  const auto between = [&](const Times& edges) { return histogram.CountBetween(edges); };
  EXPECT_THAT(between({nanoseconds(10), nanoseconds(20), nanoseconds(30)}), ElementsAre(2, 2));
  EXPECT_THAT(between({nanoseconds(0), seconds(1)}), ElementsAre(7));
  EXPECT_THAT(between({seconds(1), seconds(2)}), ElementsAre(0));
  EXPECT_THAT(between({seconds(1)}), IsEmpty());
  EXPECT_THAT(between({}), IsEmpty());
}

}  // namespace
}  // namespace quantd::client
