// Tests when the calls of a load start, in closed loops and at a rate, against a fake
// server that lets tests choose how long answers take.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

#include "client/load/load_run.h"
#include "tests/client/load/fake_server.h"
#include "tests/client/load/small_load.h"
#include "tests/client/load/small_requests.h"
#include "tests/wait_until.h"

namespace quantd::client {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

using Clock = std::chrono::steady_clock;
using Fate = FakeServer::Fate;

TEST(ClosedLoop, KeepsItsConcurrencyOfCallsUnderWay) {
  FakeServer server(WhenReleased);
  RunningLoad load(server, {.rate = {}, .concurrency = 4, .duration = hours(1), .calls = {}});
  for (std::size_t round = 1; round <= 5; ++round) {
    ASSERT_TRUE(WaitUntil([&] { return server.begun() == 4 * round; }));
    EXPECT_EQ(server.under_way(), 4U);
    server.ReleaseCalls();
  }
  load.Stop();
  server.ReleaseCalls();
  EXPECT_EQ(load.AwaitResult().calls, server.begun());
  EXPECT_EQ(server.most_under_way(), 4U);
}

TEST(ClosedLoop, HasNoScheduleToMiss) {
  FakeServer server(AtOnce);
  const LoadResult result =
      RunLoad(server, {.rate = {}, .concurrency = 2, .duration = {}, .calls = 100});
  EXPECT_EQ(result.due, 0U);
  EXPECT_EQ(result.late, 0U);
  EXPECT_EQ(result.unsent, 0U);
  EXPECT_EQ(result.client_delay.count(), 0U);
  EXPECT_FALSE(result.IsSaturated());
}

TEST(ClosedLoop, MeasuresFromTheStartOfACallToItsEnd) {
  FakeServer server(After(milliseconds(3)));
  const LoadResult result =
      RunLoad(server, {.rate = {}, .concurrency = 2, .duration = {}, .calls = 20});
  EXPECT_EQ(result.service_time.count(), 20U);
  EXPECT_EQ(result.service_time.min(), milliseconds(3));
  EXPECT_EQ(result.service_time.max(), milliseconds(3));
  EXPECT_EQ(result.latency.count(), 20U);
  EXPECT_GE(result.latency.min(), milliseconds(3));
  EXPECT_GE(result.time, milliseconds(30));
  EXPECT_EQ(result.sending_time, result.time);
}

TEST(ClosedLoop, StartsNoCallAfterItsDuration) {
  FakeServer server(After(milliseconds(300)));
  const LoadResult result =
      RunLoad(server, {.rate = {}, .concurrency = 3, .duration = milliseconds(200), .calls = {}});
  EXPECT_LE(server.begun(), 3U);
  EXPECT_EQ(result.calls, server.begun());
  EXPECT_FALSE(result.is_interrupted);
}

TEST(OpenLoop, MakesCallsWhenTheyAreDueButNotEarlier) {
  for (const ArrivalProcess process : {ArrivalProcess::kConstant, ArrivalProcess::kPoisson}) {
    const LoadPlan plan = {.rate = 1000,
                           .arrivals = process,
                           .concurrency = 100,
                           .duration = {},
                           .calls = 100,
                           .seed = 3};
    Arrivals arrivals(process, *plan.rate, plan.seed);
    const Clock::time_point before = Clock::now();
    FakeServer server([&](std::size_t) {
      EXPECT_GE(Clock::now() - before, arrivals.next());
      arrivals.Advance();
      return Fate();
    });
    const LoadResult result = RunLoad(server, plan);
    EXPECT_EQ(result.calls, 100U);
    EXPECT_EQ(result.late + result.client_delay.count(), 100U);
  }
}

TEST(OpenLoop, DoesNotWaitForAnswers) {
  FakeServer server(WhenReleased);
  RunningLoad load(server, {.rate = 1000, .concurrency = 20, .duration = {}, .calls = 20});
  EXPECT_TRUE(WaitUntil([&] { return server.under_way() == 20; }));
  server.ReleaseCalls();
  const LoadResult result = load.AwaitResult();
  EXPECT_EQ(result.late, 0U);
  EXPECT_EQ(result.client_delay.count(), 20U);
}

TEST(OpenLoop, NeverExceedsItsConcurrency) {
  FakeServer server(After(milliseconds(1)), 4);
  const LoadResult result =
      RunLoad(server, {.rate = 1e5, .concurrency = 3, .duration = {}, .calls = 100});
  EXPECT_EQ(result.calls, 100U);
  EXPECT_LE(server.most_under_way(), 3U);
}

TEST(OpenLoop, MeasuresACallThatWaitsForAPlaceFromWhenItWasDue) {
  FakeServer server([](std::size_t number) {
    return Fate{.service_time = number == 0 ? milliseconds(50) : milliseconds(2)};
  });
  const LoadResult result =
      RunLoad(server, {.rate = 1000, .concurrency = 1, .duration = {}, .calls = 2});
  EXPECT_EQ(result.late, 1U);
  // The call was due after 1 ms and sent after 50 ms.
  EXPECT_GE(result.latency.max(), milliseconds(51));
  EXPECT_EQ(result.service_time.min(), milliseconds(2));
  EXPECT_EQ(result.service_time.max(), milliseconds(50));
  EXPECT_EQ(result.client_delay.count(), 1U);
}

TEST(OpenLoop, ShowsAStallInTheLatencyOfAllDelayedCalls) {
  constexpr milliseconds kStall(200);
  FakeServer server([&](std::size_t number) {
    return Fate{.service_time = number == 0 ? nanoseconds(kStall) : microseconds(10)};
  });
  const LoadResult result =
      RunLoad(server, {.rate = 1000, .concurrency = 1, .duration = {}, .calls = 100});
  // Call n was due after n ms, and sent after 200 ms.
  EXPECT_GE(result.latency.min(), kStall - milliseconds(99));
  EXPECT_GE(result.latency.Quantile(0.5), (kStall - milliseconds(50)) * 0.99);
  EXPECT_EQ(result.late, 99U);
  EXPECT_LE(result.service_time.Quantile(0.99), microseconds(11));
  EXPECT_EQ(result.service_time.max(), kStall);
  EXPECT_EQ(result.scheduled_time, milliseconds(100));
  EXPECT_GE(result.sending_time, kStall);
  EXPECT_TRUE(result.IsSaturated());
}

TEST(OpenLoop, CountsDueCallsThatWereNeverSentAndTheirLatency) {
  FakeServer server(After(milliseconds(300)));
  const LoadResult result =
      RunLoad(server, {.rate = 1000, .concurrency = 3, .duration = milliseconds(200), .calls = {}});
  EXPECT_EQ(result.due, 200U);
  EXPECT_LE(result.calls, 3U);
  EXPECT_EQ(result.unsent, result.due - result.calls);
  EXPECT_EQ(result.latency.count(), 200U);
  // Call n was due after n ms, and waited until the end.
  EXPECT_GE(result.latency.Quantile(0.5), milliseconds(100) * 0.99);
  EXPECT_EQ(result.service_time.count(), result.calls);
  EXPECT_EQ(result.scheduled_time, milliseconds(200));
  EXPECT_TRUE(result.IsSaturated());
}

TEST(OpenLoop, IsNotSaturatedByCallsThatEndAfterItsDuration) {
  FakeServer server(After(milliseconds(1100)));
  const LoadResult result =
      RunLoad(server, {.rate = 1, .concurrency = 2, .duration = milliseconds(900), .calls = {}});
  EXPECT_EQ(result.calls, 1U);
  EXPECT_GE(result.time, milliseconds(1100));
  EXPECT_EQ(result.sending_time, milliseconds(900));
  EXPECT_FALSE(result.IsSaturated());
}

TEST(OpenLoop, HasNoMoreCallsDueThanRequested) {
  FakeServer server(After(milliseconds(300)));
  const LoadResult result =
      RunLoad(server, {.rate = 1000, .concurrency = 1, .duration = milliseconds(200), .calls = 10});
  EXPECT_LE(result.due, 10U);
  EXPECT_EQ(result.unsent, result.due - result.calls);
}

}  // namespace
}  // namespace quantd::client
