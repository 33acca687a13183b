#include "client/load/condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A result of 100 calls in 2 s at a rate that was met. Latencies are 10 ms, except for two of
// 1 s; service times are 3 ms.
LoadResult ResultWithoutErrors() {
  LoadResult result;
  result.plan.rate = 50;
  result.time = seconds(2);
  result.calls = 100;
  result.latency.Add(milliseconds(10), 98);
  result.latency.Add(seconds(1), 2);
  result.service_time.Add(milliseconds(3), 100);
  result.due = 100;
  result.scheduled_time = seconds(2);
  result.sending_time = seconds(2);
  return result;
}

// The same, but 2 calls with latencies of 10 ms failed.
LoadResult Result() {
  LoadResult result = ResultWithoutErrors();
  result.errors = 2;
  result.tensor_bytes = 5'000'000'000;
  result.latency = {};
  result.latency.Add(milliseconds(10), 96);
  result.latency.Add(seconds(1), 2);
  result.service_time = {};
  result.service_time.Add(milliseconds(3), 98);
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
  const LoadResult result = ResultWithoutErrors();
  EXPECT_TRUE(Holds("p99>900ms", result));
  EXPECT_FALSE(Holds("p99>1.1s", result));
  EXPECT_TRUE(Holds("p50<11ms", result));
  EXPECT_FALSE(Holds("p50<9ms", result));
  EXPECT_TRUE(Holds("p99.9>=0.9s", result));
  EXPECT_TRUE(Holds("p99_9>=0.9s", result));
  EXPECT_TRUE(Holds("max>=1s", result));
  EXPECT_FALSE(Holds("max>1s", result));
  EXPECT_TRUE(Holds("mean>29ms", result));
  EXPECT_FALSE(Holds("mean>30ms", result));
}

TEST(Condition, ComparesServiceTimes) {
  const LoadResult result = ResultWithoutErrors();
  EXPECT_TRUE(Holds("service.max>=3ms", result));
  EXPECT_FALSE(Holds("service.max>3ms", result));
  EXPECT_TRUE(Holds("service.p99<4ms", result));
  EXPECT_TRUE(Holds("service.mean<=3ms", result));
}

TEST(Condition, TakesFailedCallsForInfinitelyLate) {
  // Of 100 calls, 96 took 10 ms, 2 took 1 s, and 2 failed.
  EXPECT_TRUE(Holds("p96<11ms"));
  EXPECT_TRUE(Holds("p97>900ms"));
  EXPECT_TRUE(Holds("p98<1.1s"));
  EXPECT_TRUE(Holds("p99>1h"));
  EXPECT_FALSE(Holds("p99<1h"));
  EXPECT_TRUE(Holds("max>1h"));
  EXPECT_TRUE(Holds("mean>1h"));
  EXPECT_TRUE(Holds("service.p98<4ms"));
  EXPECT_TRUE(Holds("service.p99>1h"));
  EXPECT_TRUE(Holds("service.mean>1h"));
}

TEST(Condition, IsNotMetByALoadThatFailedAltogether) {
  LoadResult result;
  result.calls = 1000;
  result.errors = 1000;
  EXPECT_TRUE(Holds("p50>1h", result));
  EXPECT_EQ(Explain("p50>1h", result),
            "p50>1h (p50 is infinite: 1000 of 1000 calls failed, and a call that failed counts as "
            "one that is never answered)");
}

TEST(Condition, CountsTheWaitOfCallsThatWereNeverSent) {
  // Of 200 calls, 100 were answered within 10 ms, 98 were never sent, and 2 failed.
  LoadResult result;
  result.calls = 102;
  result.errors = 2;
  result.unsent = 98;
  result.latency.Add(milliseconds(10), 100);
  result.latency.Add(seconds(2), 98);
  result.service_time.Add(milliseconds(10), 100);
  EXPECT_TRUE(Holds("p50<11ms", result));
  EXPECT_FALSE(Holds("p51<11ms", result));
  EXPECT_TRUE(Holds("p99<3s", result));
  EXPECT_TRUE(Holds("p99.5>1h", result));
  EXPECT_TRUE(Holds("service.p98<11ms", result));
}

TEST(Condition, TakesCallsThatTimedOutForInfinitelyLate) {
  // The latency has calls that timed out.
  LoadResult result;
  result.calls = 100;
  result.errors = 10;
  result.status_codes = {{"OK", 90}, {"DEADLINE_EXCEEDED", 10}};
  result.latency.Add(milliseconds(1), 90);
  result.latency.Add(seconds(1), 10);
  EXPECT_TRUE(Holds("p90<2ms", result));
  EXPECT_TRUE(Holds("p91>1h", result));
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
  const LoadResult good = ResultWithoutErrors();
  EXPECT_EQ(Explain("p50>10ms", good), "p50>10ms (p50 is 10.0 ms)");
  EXPECT_EQ(Explain("max < 2s", good), "max < 2s (max is 1.00 s)");
  EXPECT_EQ(Explain("mean>1us", good), "mean>1us (mean is 29.8 ms)");
  EXPECT_EQ(Explain("service.max>1s", good), "service.max>1s (service.max is 3.00 ms)");
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
