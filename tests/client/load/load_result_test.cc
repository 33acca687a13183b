#include "client/load/load_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(LoadResult, RatesLeaveOutCallsWithErrors) {
  LoadResult result;
  result.time = seconds(4);
  result.calls = 100;
  result.errors = 20;
  result.elements = 8000;
  result.tensor_bytes = 64'000'000'000;
  EXPECT_EQ(result.ok_calls(), 80U);
  EXPECT_DOUBLE_EQ(result.ErrorRate(), 0.2);
  EXPECT_DOUBLE_EQ(result.CallsPerSecond(), 20);
  EXPECT_DOUBLE_EQ(result.ElementsPerSecond(), 2000);
  EXPECT_DOUBLE_EQ(result.GigabytesPerSecond(), 16);
}

TEST(LoadResult, SentRateCountsAllCallsWhileSending) {
  LoadResult result;
  result.time = seconds(6);
  result.sending_time = seconds(5);
  result.calls = 100;
  result.errors = 20;
  EXPECT_DOUBLE_EQ(result.SentPerSecond(), 20);
}

TEST(LoadResult, ClientCpuShareIsRelativeToAllProcessors) {
  LoadResult result;
  result.time = seconds(2);
  result.client_cpu_time = seconds(2) * std::thread::hardware_concurrency();
  EXPECT_DOUBLE_EQ(result.ClientCpuShare(), 1);
}

TEST(LoadResult, RatesAreZeroIfNothingHappened) {
  const LoadResult result;
  EXPECT_EQ(result.ErrorRate(), 0);
  EXPECT_EQ(result.CallsPerSecond(), 0);
  EXPECT_EQ(result.ElementsPerSecond(), 0);
  EXPECT_EQ(result.GigabytesPerSecond(), 0);
  EXPECT_EQ(result.SentPerSecond(), 0);
  EXPECT_EQ(result.ClientCpuShare(), 0);
  EXPECT_FALSE(result.IsSaturated());
}

TEST(LoadResult, IsSaturatedIfMoreThanOnePercentOfTheRateIsMissing) {
  LoadResult result;
  result.plan.rate = 1000;
  result.due = 10'000;
  result.scheduled_time = seconds(10);
  result.sending_time = seconds(10);
  result.calls = 9901;
  EXPECT_FALSE(result.IsSaturated());
  result.calls = 9899;
  EXPECT_TRUE(result.IsSaturated());
  result.calls = 10'000;
  result.sending_time = milliseconds(10'200);
  EXPECT_TRUE(result.IsSaturated());
}

TEST(LoadResult, IsNotSaturatedIfPoissonDrewFewerCalls) {
  LoadResult result;
  result.plan.rate = 1000;
  result.due = 9500;
  result.calls = 9500;
  result.scheduled_time = seconds(10);
  result.sending_time = seconds(10);
  EXPECT_FALSE(result.IsSaturated());
}

TEST(LoadResult, OfAClosedLoopIsNeverSaturated) {
  LoadResult result;
  result.calls = 1;
  result.sending_time = seconds(10);
  EXPECT_FALSE(result.IsSaturated());
}

// A result in which every figure has a different value.
LoadResult MakeResult(std::uint64_t factor) {
  LoadResult result;
  result.time = seconds(1) * factor;
  result.calls = 2 * factor;
  result.errors = 3 * factor;
  result.verified = 4 * factor;
  result.elements = 5 * factor;
  result.tensor_bytes = 6 * factor;
  result.due = 7 * factor;
  result.late = 8 * factor;
  result.unsent = 9 * factor;
  result.sending_time = seconds(10) * factor;
  result.scheduled_time = seconds(11) * factor;
  result.client_cpu_time = seconds(12) * factor;
  result.latency.Add(milliseconds(13), factor);
  result.service_time.Add(milliseconds(14), factor);
  result.client_delay.Add(milliseconds(15), factor);
  result.timeline.AddError(seconds(0));
  result.outages = {
      .count = 16 * factor, .total = seconds(17) * factor, .longest = seconds(factor)};
  return result;
}

TEST(LoadResult, AppendAddsUpFigures) {
  LoadResult result = MakeResult(1);
  result.Append(MakeResult(10));
  EXPECT_EQ(result.time, seconds(11));
  EXPECT_EQ(result.calls, 22U);
  EXPECT_EQ(result.errors, 33U);
  EXPECT_EQ(result.verified, 44U);
  EXPECT_EQ(result.elements, 55U);
  EXPECT_EQ(result.tensor_bytes, 66U);
  EXPECT_EQ(result.due, 77U);
  EXPECT_EQ(result.late, 88U);
  EXPECT_EQ(result.unsent, 99U);
  EXPECT_EQ(result.sending_time, seconds(110));
  EXPECT_EQ(result.scheduled_time, seconds(121));
  EXPECT_EQ(result.client_cpu_time, seconds(132));
  EXPECT_EQ(result.latency.count(), 11U);
  EXPECT_EQ(result.latency.max(), milliseconds(13));
  EXPECT_EQ(result.service_time.count(), 11U);
  EXPECT_EQ(result.service_time.max(), milliseconds(14));
  EXPECT_EQ(result.client_delay.count(), 11U);
  EXPECT_EQ(result.client_delay.max(), milliseconds(15));
  EXPECT_EQ(result.outages.count, 176U);
  EXPECT_EQ(result.outages.total, seconds(187));
  EXPECT_EQ(result.outages.longest, seconds(10));
}

TEST(LoadResult, AppendExtendsTheTimeline) {
  LoadResult result = MakeResult(2);
  result.Append(MakeResult(1));
  ASSERT_THAT(result.timeline.intervals(), SizeIs(21));
  EXPECT_EQ(result.timeline.intervals().front().errors, 1U);
  EXPECT_EQ(result.timeline.intervals().back().errors, 1U);
}

TEST(LoadResult, KeepsTheFirstMessageOfEachCode) {
  LoadResult result;
  result.status_codes = {{"OK", 5}, {"UNAVAILABLE", 1}};
  result.messages = {{"UNAVAILABLE", "connection refused"}};
  LoadResult next;
  next.status_codes = {{"INTERNAL", 2}, {"UNAVAILABLE", 3}};
  next.messages = {{"INTERNAL", "oops"}, {"UNAVAILABLE", "socket closed"}};
  result.Append(next);
  EXPECT_THAT(result.status_codes,
              ElementsAre(Pair("INTERNAL", 2), Pair("OK", 5), Pair("UNAVAILABLE", 4)));
  EXPECT_THAT(result.messages,
              ElementsAre(Pair("INTERNAL", "oops"), Pair("UNAVAILABLE", "connection refused")));
}

TEST(LoadResult, IsInterruptedIfAnyPartWas) {
  LoadResult interrupted;
  interrupted.is_interrupted = true;
  LoadResult result;
  result.Append(LoadResult());
  EXPECT_FALSE(result.is_interrupted);
  result.Append(interrupted);
  EXPECT_TRUE(result.is_interrupted);
  result.Append(LoadResult());
  EXPECT_TRUE(result.is_interrupted);
}

}  // namespace
}  // namespace quantd::client
