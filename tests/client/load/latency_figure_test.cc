#include "client/load/latency_figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(LatencyFigure, IsParsedFromItsName) {
  EXPECT_EQ(ParseLatencyFigure("p50")->quantile, 0.5);
  EXPECT_EQ(ParseLatencyFigure("p99")->quantile, 0.99);
  EXPECT_EQ(ParseLatencyFigure("p100")->quantile, 1);
  EXPECT_EQ(ParseLatencyFigure("p0")->quantile, 0);
  EXPECT_EQ(ParseLatencyFigure("max")->quantile, 1);
  ASSERT_TRUE(ParseLatencyFigure("mean").has_value());
  EXPECT_EQ(ParseLatencyFigure("mean")->quantile, std::nullopt);
}

TEST(LatencyFigure, MatchesTheReportedQuantileOfItsName) {
  for (const NamedQuantile& reported : kReportedQuantiles) {
    SCOPED_TRACE(reported.name);
    EXPECT_EQ(ParseLatencyFigure(reported.name)->quantile, reported.quantile);
    EXPECT_EQ(ParseLatencyFigure(reported.key)->quantile, reported.quantile);
  }
}

TEST(LatencyFigure, RejectsOtherNames) {
  for (const std::string_view name :
       {"", "p", "p101", "p-1", "pnan", "pinf", "p9x", "P99", "99", "min", "max ", "service.p99"}) {
    EXPECT_FALSE(ParseLatencyFigure(name).has_value()) << name;
  }
}

TEST(LatencyFigure, IsComputedFromAHistogram) {
  LatencyHistogram histogram;
  histogram.Add(milliseconds(5), 9);
  histogram.Add(milliseconds(25));
  EXPECT_EQ(ParseLatencyFigure("mean")->Of(histogram), milliseconds(7));
  EXPECT_EQ(ParseLatencyFigure("max")->Of(histogram), milliseconds(25));
  EXPECT_EQ(ParseLatencyFigure("p90")->Of(histogram), histogram.Quantile(0.9));
}

TEST(LatencyFigure, OfOneCallInAThousandIsNotTheMaximumOfAThousand) {
  LatencyHistogram histogram;
  histogram.Add(milliseconds(1), 999);
  histogram.Add(milliseconds(500));
  EXPECT_LT(ParseLatencyFigure("p99.9")->Of(histogram), milliseconds(2));
}

TEST(LatencyTarget, IsParsedAsAFigureAndALimit) {
  const auto target = ParseLatencyTarget("p99=1.5ms");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_EQ(target->figure.quantile, 0.99);
  EXPECT_EQ(target->limit, std::chrono::microseconds(1500));
  EXPECT_EQ(ParseLatencyTarget("mean=2s")->limit, std::chrono::seconds(2));
  EXPECT_EQ(ParseLatencyTarget("max=1m30s")->limit, std::chrono::seconds(90));
}

TEST(LatencyTarget, IsMetUpToItsLimit) {
  LatencyHistogram histogram;
  histogram.Add(milliseconds(10), 98);
  histogram.Add(milliseconds(100), 2);
  EXPECT_TRUE(ParseLatencyTarget("max=100ms")->IsKeptBy(histogram));
  EXPECT_FALSE(ParseLatencyTarget("max=99.9ms")->IsKeptBy(histogram));
  EXPECT_TRUE(ParseLatencyTarget("p50=11ms")->IsKeptBy(histogram));
  EXPECT_FALSE(ParseLatencyTarget("p99=11ms")->IsKeptBy(histogram));
  EXPECT_TRUE(ParseLatencyTarget("mean=11.8ms")->IsKeptBy(histogram));
  EXPECT_FALSE(ParseLatencyTarget("mean=11.7ms")->IsKeptBy(histogram));
}

TEST(LatencyTarget, ErrorsSayWhatWasExpected) {
  for (const std::string_view text : {"", "p99", "p99=", "=5ms", "p99=5", "p99=0s", "p99=-5ms",
                                      "p101=5ms", "p99=5ms ", "p99>5ms", "p99=5ms=6ms"}) {
    const auto target = ParseLatencyTarget(text);
    EXPECT_TRUE(absl::IsInvalidArgument(target.status())) << text;
    EXPECT_THAT(std::string(target.status().message()),
                AllOf(HasSubstr("\"" + std::string(text) + "\" is not a valid latency target"),
                      HasSubstr("FIGURE=DURATION, such as p99=5ms")));
  }
}

}  // namespace
}  // namespace quantd::client
