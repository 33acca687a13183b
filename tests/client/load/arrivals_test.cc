#include "client/load/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace quantd::client {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

std::vector<nanoseconds> Take(std::size_t count, Arrivals arrivals) {
  std::vector<nanoseconds> times(count);
  std::ranges::generate(times, [&] {
    const nanoseconds time = arrivals.next();
    arrivals.Advance();
    return time;
  });
  return times;
}

TEST(Arrivals, AreEquallySpacedFromTheStartWithoutDrift) {
  constexpr std::int64_t kRate = 30'000;  // A period of 33.3… µs.
  const auto times = Take(10'000'000, Arrivals(ArrivalProcess::kConstant, kRate, 1));
  for (std::size_t index = 0; index < times.size(); index += 9973) {
    const nanoseconds exact(static_cast<std::int64_t>(index) * 1'000'000'000 / kRate);
    ASSERT_LE(std::chrono::abs(times[index] - exact), nanoseconds(1)) << index;
  }
  EXPECT_EQ(times.front(), seconds(0));
}

TEST(Arrivals, MayBeFewerThanOnePerSecond) {
  const auto times = Take(3, Arrivals(ArrivalProcess::kConstant, 0.25, 1));
  EXPECT_EQ(times, (std::vector<nanoseconds>{seconds(0), seconds(4), seconds(8)}));
}

TEST(Arrivals, OfAPoissonProcessHaveExponentialIntervals) {
  constexpr double kRate = 2000;
  constexpr std::size_t kCount = 200'000;
  const auto times = Take(kCount, Arrivals(ArrivalProcess::kPoisson, kRate, 7));
  double sum = 0;
  double sum_of_squares = 0;
  double shorter_than_the_mean = 0;
  nanoseconds last(0);
  for (const nanoseconds time : times) {
    ASSERT_GE(time, last);
    const double distance = std::chrono::duration<double>(time - last).count();
    last = time;
    sum += distance;
    sum_of_squares += distance * distance;
    shorter_than_the_mean += distance < 1 / kRate ? 1 : 0;
  }
  const double mean = sum / kCount;
  const double deviation = std::sqrt(sum_of_squares / kCount - mean * mean);
  EXPECT_NEAR(mean * kRate, 1, 0.01);
  EXPECT_NEAR(deviation / mean, 1, 0.01);
  EXPECT_NEAR(shorter_than_the_mean / kCount, 1 - std::exp(-1), 0.01);
}

TEST(Arrivals, DependOnlyOnTheSeed) {
  const auto times = Take(1000, Arrivals(ArrivalProcess::kPoisson, 100, 3));
  EXPECT_EQ(times, Take(1000, Arrivals(ArrivalProcess::kPoisson, 100, 3)));
  EXPECT_NE(times, Take(1000, Arrivals(ArrivalProcess::kPoisson, 100, 4)));
}

TEST(Arrivals, DoNotChangeUntilTheyAreTaken) {
  for (const ArrivalProcess process : {ArrivalProcess::kConstant, ArrivalProcess::kPoisson}) {
    const auto times = Take(1000, Arrivals(process, 100, 3));
    Arrivals watched(process, 100, 3);
    for (std::size_t index = 0; index < times.size(); ++index) {
      for (std::size_t look = 0; look <= index % 3; ++look) {
        ASSERT_EQ(watched.next(), times[index]);
      }
      watched.Advance();
    }
  }
}

TEST(Arrivals, OfTinyRatesStayWithinTheRangeOfTheClock) {
  for (const ArrivalProcess process : {ArrivalProcess::kConstant, ArrivalProcess::kPoisson}) {
    const nanoseconds second = Take(2, Arrivals(process, 1e-300, 1))[1];
    EXPECT_GT(second, std::chrono::hours(24) * 365);
    EXPECT_GT(std::chrono::steady_clock::now() + second, std::chrono::steady_clock::now());
  }
}

}  // namespace
}  // namespace quantd::client
