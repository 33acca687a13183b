// Tests how loads end that are interrupted or stuck, against a fake server that lets
// tests choose how long answers take.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>

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
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;
using ::testing::Pair;

using Clock = std::chrono::steady_clock;
using Fate = FakeServer::Fate;

LoadResult RunUntilStuck(FakeServer& server, const LoadPlan& plan, milliseconds timeout) {
  return RunLoad(server, plan, {}, timeout);
}

TEST(InterruptedLoad, EndsEarly) {
  for (const std::optional<double> rate : {std::optional<double>(), std::optional<double>(1000)}) {
    FakeServer server(After(microseconds(100)));
    RunningLoad load(server, {.rate = rate, .concurrency = 2, .duration = hours(1), .calls = {}});
    EXPECT_TRUE(WaitUntil([&] { return server.begun() >= 10; }));
    load.Stop();
    const LoadResult result = load.AwaitResult();
    EXPECT_TRUE(result.is_interrupted);
    EXPECT_EQ(result.calls, server.begun());
    EXPECT_EQ(result.errors, 0U);
    EXPECT_FALSE(server.cancelled().has_value());
  }
}

TEST(InterruptedLoad, MakesNoCallIfStoppedBeforehand) {
  std::stop_source stop;
  stop.request_stop();
  FakeServer server(AtOnce);
  const LoadResult result =
      RunLoad(server, {.rate = {}, .duration = hours(1), .calls = {}}, stop.get_token());
  EXPECT_EQ(server.begun(), 0U);
  EXPECT_TRUE(result.is_interrupted);
}

TEST(InterruptedLoad, WaitsForTheCallsThatAreUnderWay) {
  FakeServer server(WhenReleased);
  RunningLoad load(server, {.rate = {}, .concurrency = 3, .duration = hours(1), .calls = {}});
  EXPECT_TRUE(WaitUntil([&] { return server.under_way() == 3; }));
  load.Stop();
  server.ReleaseCalls();
  const LoadResult result = load.AwaitResult();
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("OK", 3)));
  EXPECT_FALSE(server.cancelled().has_value());
}

TEST(InterruptedLoad, CancelsCallsThatDoNotEndWithinTwoSeconds) {
  FakeServer server(WhenReleased);
  RunningLoad load(server, {.rate = {}, .concurrency = 3, .duration = hours(1), .calls = {}});
  EXPECT_TRUE(WaitUntil([&] { return server.under_way() == 3; }));
  const Clock::time_point before = Clock::now();
  load.Stop();
  const LoadResult result = load.AwaitResult();
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("CANCELLED", 3)));
  EXPECT_TRUE(result.is_interrupted);
  ASSERT_TRUE(server.cancelled().has_value());
  EXPECT_GE(*server.cancelled() - before, seconds(2));
}

TEST(InterruptedLoad, CancelsItsLastCallsToo) {
  FakeServer server(WhenReleased);
  RunningLoad load(server, {.rate = {}, .concurrency = 3, .duration = {}, .calls = 1});
  EXPECT_TRUE(WaitUntil([&] { return server.under_way() == 1; }));
  const Clock::time_point under_way = Clock::now();
  // The two seconds start at the stop.
  EXPECT_TRUE(WaitUntil([&] { return Clock::now() - under_way >= milliseconds(500); }));
  const Clock::time_point before = Clock::now();
  load.Stop();
  EXPECT_TRUE(WaitUntil([&] { return server.cancelled().has_value(); }, seconds(20)));
  EXPECT_GE(server.cancelled().value_or(before) - before, seconds(2));
  server.ReleaseCalls();
}

TEST(InterruptedLoad, CountsOnlyCallsThatWereDueByThen) {
  FakeServer server(WhenReleased);
  const Clock::time_point before = Clock::now();
  RunningLoad load(server, {.rate = 1000, .concurrency = 1, .duration = hours(1), .calls = {}});
  EXPECT_TRUE(WaitUntil([&] { return server.begun() == 1; }));
  const Clock::time_point begun = Clock::now();
  EXPECT_TRUE(WaitUntil([&] { return Clock::now() - begun >= milliseconds(50); }));
  load.Stop();
  const auto longest = std::chrono::ceil<milliseconds>(Clock::now() - before);
  server.ReleaseCalls();
  const LoadResult result = load.AwaitResult();
  EXPECT_THAT(result.due, AllOf(Ge(50U), Le(static_cast<std::uint64_t>(longest.count()))));
  EXPECT_EQ(result.unsent, result.due - 1);
  EXPECT_EQ(result.latency.count(), result.due);
}

TEST(StuckLoad, EndsAfterTheTimeout) {
  FakeServer server(WhenReleased);
  const Clock::time_point before = Clock::now();
  const LoadResult result = RunUntilStuck(
      server, {.rate = {}, .concurrency = 3, .duration = hours(1), .calls = {}}, milliseconds(300));
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("CANCELLED", result.calls)));
  EXPECT_EQ(result.calls, 3U);
  EXPECT_FALSE(result.is_interrupted);
  EXPECT_GE(*server.cancelled() - before, milliseconds(300));
}

TEST(StuckLoad, CountsCallsThatWereDueUntilItsEnd) {
  FakeServer server(WhenReleased);
  const Clock::time_point before = Clock::now();
  const LoadResult result =
      RunUntilStuck(server, {.rate = 1000, .concurrency = 1, .duration = hours(1), .calls = {}},
                    milliseconds(300));
  const auto longest = std::chrono::ceil<milliseconds>(Clock::now() - before);
  EXPECT_THAT(result.due, AllOf(Ge(300U), Le(static_cast<std::uint64_t>(longest.count()))));
  EXPECT_EQ(result.unsent, result.due - 1);
  // Each call had waited since it was due.
  EXPECT_GE(result.latency.Quantile(0.5), milliseconds(150) * 0.99);
}

TEST(StuckLoad, EndsEvenIfMoreCallsWereRequestedAtARate) {
  FakeServer server(WhenReleased);
  const LoadResult result = RunUntilStuck(
      server, {.rate = 1000, .concurrency = 1, .duration = {}, .calls = 10}, milliseconds(300));
  EXPECT_EQ(result.calls, 1U);
  EXPECT_EQ(result.due, 10U);
  EXPECT_EQ(result.unsent, 9U);
}

TEST(StuckLoad, IsNotDetectedWhileCallsEnd) {
  FakeServer server(After(milliseconds(100)));
  const LoadResult result =
      RunUntilStuck(server, {.rate = {}, .duration = {}, .calls = 16}, milliseconds(200));
  EXPECT_EQ(result.errors, 0U);
  EXPECT_EQ(result.calls, 16U);
}

TEST(StuckLoad, IsNotDetectedIfCallsEndAtTheTimeout) {
  FakeServer server([](std::size_t) {
    return Fate{.service_time = milliseconds(600),
                .status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "")};
  });
  const LoadResult result =
      RunUntilStuck(server, {.rate = {}, .duration = {}, .calls = 1}, milliseconds(300));
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("DEADLINE_EXCEEDED", 1)));
  EXPECT_FALSE(server.cancelled().has_value());
}

TEST(StuckLoad, IsNotDetectedWhileNoCallIsDueOrOneHasJustStarted) {
  FakeServer server(After(milliseconds(300)));
  const LoadResult result =
      RunUntilStuck(server, {.rate = 0.6, .duration = {}, .calls = 2}, milliseconds(100));
  EXPECT_FALSE(server.cancelled().has_value());
  EXPECT_EQ(result.calls, 2U);
}

}  // namespace
}  // namespace quantd::client
