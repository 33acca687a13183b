// Tests what a load does while nobody answers, against a fake server that lets tests
// choose how calls end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
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
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;
using ::testing::Lt;

using Clock = std::chrono::steady_clock;
using Fate = FakeServer::Fate;

Fate Gone() { return {.status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone")}; }
Fate Answer() { return {.service_time = milliseconds(1)}; }

// Answers, except during an outage that begins `after` the start and lasts for `length`.
FakeServer::Decide WithOutage(milliseconds after, milliseconds length) {
  const Clock::time_point begin = Clock::now() + after;
  return [=](std::size_t /*number*/) {
    const Clock::time_point now = Clock::now();
    return now >= begin && now < begin + length ? Gone() : Answer();
  };
}

TEST(ClosedLoop, MakesFewCallsWhileNobodyAnswers) {
  FakeServer server(WithOutage(milliseconds(100), milliseconds(600)));
  const LoadResult result =
      RunLoad(server, {.rate = {}, .concurrency = 8, .duration = milliseconds(2000), .calls = {}});
  // Each place waits for at least 5, 10, 20, 40, 80, 160 and 320 ms.
  EXPECT_THAT(result.errors, AllOf(Ge(8U), Le(8U * 8)));
  // It was back to speed before the end.
  EXPECT_GE(result.ok_calls(), 1000U);
}

TEST(ClosedLoop, BacksOffAnewAfterEachAnswer) {
  FakeServer server([](std::size_t number) { return number % 2 == 0 ? Gone() : Answer(); });
  const Clock::time_point before = Clock::now();
  const LoadResult result = RunLoad(server, {.rate = {}, .duration = {}, .calls = 20});
  EXPECT_EQ(result.errors, 10U);
  // Ten waits of 5 to 10 ms each; growing ones would take seconds.
  EXPECT_THAT(Clock::now() - before, AllOf(Ge(milliseconds(50)), Lt(seconds(1))));
}

TEST(ClosedLoop, DoesNotBackOffAfterOtherErrors) {
  FakeServer server([](std::size_t) {
    return Fate{.status = grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "")};
  });
  const Clock::time_point before = Clock::now();
  EXPECT_EQ(RunLoad(server, {.rate = {}, .duration = {}, .calls = 20}).errors, 20U);
  // Growing waits would take many seconds.
  EXPECT_LT(Clock::now() - before, seconds(1));
}

TEST(ClosedLoop, DoesNotWaitBeyondItsEnd) {
  FakeServer server([](std::size_t) { return Gone(); });
  const Clock::time_point before = Clock::now();
  // By then, a wait lasts for half a second or more.
  const LoadResult result =
      RunLoad(server, {.rate = {}, .duration = milliseconds(1520), .calls = {}});
  EXPECT_THAT(Clock::now() - before, AllOf(Ge(milliseconds(1520)), Lt(milliseconds(1700))));
  EXPECT_GE(result.time, milliseconds(1520));
  EXPECT_EQ(result.calls, server.begun());
}

TEST(ClosedLoop, MakesAllRequestedCallsThoughNobodyAnswers) {
  FakeServer server([](std::size_t) { return Gone(); });
  EXPECT_EQ(RunLoad(server, {.rate = {}, .concurrency = 8, .duration = {}, .calls = 20}).errors,
            20U);
}

TEST(ClosedLoop, StopsAtOnceWhileItWaits) {
  FakeServer server([](std::size_t) { return Gone(); });
  RunningLoad load(server, {.rate = {}, .concurrency = 4, .duration = hours(1), .calls = {}});
  // By then, the waits last for a quarter of a second or more.
  EXPECT_TRUE(WaitUntil([&] { return server.begun() >= 28U; }));
  const Clock::time_point before = Clock::now();
  load.Stop();
  EXPECT_TRUE(load.AwaitResult().is_interrupted);
  EXPECT_LT(Clock::now() - before, milliseconds(200));
}

TEST(OpenLoop, KeepsItsScheduleWhileNobodyAnswers) {
  FakeServer server(WithOutage(milliseconds(100), milliseconds(500)));
  const LoadResult result = RunLoad(
      server, {.rate = 1000, .concurrency = 8, .duration = milliseconds(1000), .calls = {}});
  EXPECT_EQ(result.calls + result.unsent, 1000U);
  EXPECT_THAT(result.errors, AllOf(Ge(400U), Le(510U)));
}

TEST(Load, SaysHowLongNobodyAnswered) {
  for (const std::optional<double> rate : {std::optional<double>(), std::optional<double>(500)}) {
    FakeServer server(WithOutage(milliseconds(200), milliseconds(600)));
    const LoadResult result = RunLoad(
        server, {.rate = rate, .concurrency = 8, .duration = milliseconds(2000), .calls = {}});
    EXPECT_EQ(result.outages.count, 1U);
    // A closed loop notices the end when the first of its eight waits is over.
    EXPECT_THAT(result.outages.total, AllOf(Ge(milliseconds(590)), Le(milliseconds(1300))));
    EXPECT_EQ(result.outages.longest, result.outages.total);
  }
}

TEST(Load, HasNoOutageIfAllCallsAreAnsweredOrSingleOnesFail) {
  FakeServer server([](std::size_t number) { return number % 50 == 7 ? Gone() : Answer(); });
  const LoadResult result =
      RunLoad(server, {.rate = {}, .concurrency = 4, .duration = {}, .calls = 400});
  EXPECT_EQ(result.errors, 8U);
  EXPECT_EQ(result.outages.count, 0U);
}

}  // namespace
}  // namespace quantd::client
