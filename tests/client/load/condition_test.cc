#include "client/load/condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A result of 100 calls in 2 s at a rate that was met; 2 calls failed. Latencies are 10
// ms, except for two of 1 s; service times are 3 ms.
LoadResult Result() {
  LoadResult result;
  result.plan.rate = 50;
  result.time = seconds(2);
  result.calls = 100;
  result.errors = 2;
  result.tensor_bytes = 5'000'000'000;
  result.latency.Add(milliseconds(10), 96);
  result.latency.Add(seconds(1), 2);
  result.service_time.Add(milliseconds(3), 98);
  result.due = 100;
  result.scheduled_time = seconds(2);
  result.sending_time = seconds(2);
  return result;
}

bool Holds(std::string_view text, const LoadResult& result = Result()) {
  const auto condition = Condition::Parse(text);
  EXPECT_TRUE(condition.ok()) << condition.status();
  return condition.ok() && condition->HoldsFor(result);
}

std::string Explain(std::string_view text, const LoadResult& result = Result()) {
  const auto condition = Condition::Parse(text);
  EXPECT_TRUE(condition.ok()) << condition.status();
  return condition.ok() ? condition->Explain(result) : "";
}

TEST(Condition, SupportsStrictAndNonStrictComparisons) {
  EXPECT_TRUE(Holds("errors>1"));
  EXPECT_FALSE(Holds("errors>2"));
  EXPECT_TRUE(Holds("errors>=2"));
  EXPECT_FALSE(Holds("errors>=3"));
  EXPECT_TRUE(Holds("errors<3"));
  EXPECT_FALSE(Holds("errors<2"));
  EXPECT_TRUE(Holds("errors<=2"));
  EXPECT_FALSE(Holds("errors<=1"));
}

TEST(Condition, ComparesLatencies) {
  EXPECT_TRUE(Holds("p99>900ms"));
  EXPECT_FALSE(Holds("p99>1.1s"));
  EXPECT_TRUE(Holds("p50<11ms"));
  EXPECT_FALSE(Holds("p50<9ms"));
  EXPECT_TRUE(Holds("p99.9>=0.9s"));
  EXPECT_TRUE(Holds("p99_9>=0.9s"));
  EXPECT_TRUE(Holds("max>=1s"));
  EXPECT_FALSE(Holds("max>1s"));
  EXPECT_TRUE(Holds("mean>30ms"));
  EXPECT_FALSE(Holds("mean>31ms"));
}

TEST(Condition, ComparesServiceTimes) {
  EXPECT_TRUE(Holds("service.max>=3ms"));
  EXPECT_FALSE(Holds("service.max>3ms"));
  EXPECT_TRUE(Holds("service.p99<4ms"));
  EXPECT_TRUE(Holds("service.mean<=3ms"));
}

TEST(Condition, ComparesShares) {
  EXPECT_TRUE(Holds("error_rate>1.9%"));
  EXPECT_FALSE(Holds("error_rate>2.1%"));
  EXPECT_TRUE(Holds("error_rate>0.019"));
  EXPECT_FALSE(Holds("error_rate>0.021"));
}

TEST(Condition, ComparesRates) {
  EXPECT_TRUE(Holds("calls_per_second<49.1"));
  EXPECT_FALSE(Holds("calls_per_second<48.9"));
  EXPECT_TRUE(Holds("gigabytes_per_second>=2.5"));
  EXPECT_FALSE(Holds("gigabytes_per_second>2.5"));
  EXPECT_TRUE(Holds("sent_rate<50.1"));
  EXPECT_FALSE(Holds("sent_rate<49.9"));
}

TEST(Condition, DetectsSaturation) {
  LoadResult result = Result();
  EXPECT_FALSE(Holds("saturated", result));
  EXPECT_EQ(Explain("saturated", result), "saturated (saturated is false)");
  result.sending_time = seconds(3);
  EXPECT_TRUE(Holds("saturated", result));
  EXPECT_EQ(Explain("saturated", result), "saturated (saturated is true)");
}

TEST(Condition, ExplainsItselfWithTheFigure) {
  EXPECT_EQ(Explain("p50>10ms"), "p50>10ms (p50 is 10.0 ms)");
  EXPECT_EQ(Explain("max < 2s"), "max < 2s (max is 1.00 s)");
  EXPECT_EQ(Explain("mean>1us"), "mean>1us (mean is 30.2 ms)");
  EXPECT_EQ(Explain("service.max>1s"), "service.max>1s (service.max is 3.00 ms)");
  EXPECT_EQ(Explain("errors>0"), "errors>0 (errors is 2)");
  EXPECT_EQ(Explain("error_rate>0.1%"), "error_rate>0.1% (error_rate is 2 %)");
  EXPECT_EQ(Explain("calls_per_second<1000"), "calls_per_second<1000 (calls_per_second is 49)");
  EXPECT_EQ(Explain("gigabytes_per_second<1"),
            "gigabytes_per_second<1 (gigabytes_per_second is 2.5)");
  EXPECT_EQ(Explain("sent_rate>=1e3"), "sent_rate>=1e3 (sent_rate is 50)");
}

TEST(Condition, KeepsItsText) {
  EXPECT_EQ(Condition::Parse(" errors  >= 2 ")->text(), " errors  >= 2 ");
  EXPECT_TRUE(Holds(" errors  >= 2 "));
}

TEST(Condition, ErrorsSayWhatWasExpected) {
  for (const std::string_view text :
       {// The figure, the comparison or the limit is missing.
        "", ">", "p99", ">10ms", "p99>", "errors=2", "errors==2",
        // The figure does not exist.
        "p101>1s", "latency>1s", "Errors>0", "service.errors>0", "service.>1s", "saturated>0",
        "not saturated",
        // The comparison does not exist.
        "errors<>2", "errors=>2", "errors>>2", "1<errors<2",
        // The limit has the wrong kind.
        "p99>10", "p99>5%", "p99>ms", "errors>1ms", "errors>1%", "error_rate>%", "error_rate>1s",
        "calls_per_second<many", "gigabytes_per_second<1GB", "sent_rate<1/s"}) {
    const auto condition = Condition::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(condition.status())) << text;
    EXPECT_THAT(std::string(condition.status().message()),
                AllOf(HasSubstr("\"" + std::string(text) + "\" is not a valid condition"),
                      HasSubstr("expected FIGURE, <, <=, > or >=, and a limit, such as p99>10ms"),
                      HasSubstr("or: saturated")));
  }
}

}  // namespace
}  // namespace quantd::client
