// Tests when calls start and how their ends are recorded, against a fake server that
// lets tests choose answers and how long they take.

#include "client/load/load_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/client/load/fake_server.h"
#include "tests/client/load/small_requests.h"
#include "tests/wait_until.h"

namespace quantd::client {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Pair;

using Clock = std::chrono::steady_clock;

using Fate = FakeServer::Fate;

Fate AtOnce(std::size_t /*number*/) { return {}; }
Fate WhenReleased(std::size_t /*number*/) { return {.service_time = std::nullopt}; }

FakeServer::Decide After(nanoseconds service_time) {
  return [service_time](std::size_t /*number*/) { return Fate{.service_time = service_time}; };
}

Fate Failure(grpc::StatusCode code, const std::string& message) {
  return {.status = grpc::Status(code, message)};
}

const Request& SmallRequest() {
  static const Request request = MakeRequest(SmallContent(kFakeQuantize));
  return request;
}

Fate RightAnswer() { return {.answer = Encode(AnswerTo(SmallRequest()))}; }

Fate WrongAnswer() {
  v1::FakeQuantizeResponse answer = AnswerTo(SmallRequest());
  SetElement(answer.mutable_output(), 5, 123);
  return {.answer = Encode(answer)};
}

const Workload& SmallWorkload() {
  static const Workload workload(MethodOf(kFakeQuantize, wire::Transfer::kUnary),
                                 {{.request = SmallRequest()}});
  return workload;
}

LoadResult RunLoad(FakeServer& server, const LoadPlan& plan, const std::stop_token& stop = {},
                   milliseconds timeout = hours(1), const LoadTester::Watcher& watcher = {}) {
  return LoadRun(plan, SmallWorkload()).Run(server.make_calls(), timeout, stop, watcher);
}

LoadResult RunUntilStuck(FakeServer& server, const LoadPlan& plan, milliseconds timeout) {
  return RunLoad(server, plan, {}, timeout);
}

// Runs a load on its own thread.
class RunningLoad {
 public:
  RunningLoad(FakeServer& server, const LoadPlan& plan)
      : result_(std::async(std::launch::async, [&server, plan, stop = stop_.get_token()] {
          return RunLoad(server, plan, stop);
        })) {}
  // Ends the load, so that a failed test does not wait for calls forever.
  ~RunningLoad() { Stop(); }
  RunningLoad(const RunningLoad&) = delete;
  RunningLoad& operator=(const RunningLoad&) = delete;

  void Stop() { stop_.request_stop(); }
  LoadResult AwaitResult() { return result_.get(); }

 private:
  std::stop_source stop_;
  std::future<LoadResult> result_;
};

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

TEST(LoadRun, LastsForItsDuration) {
  for (const std::optional<double> rate : {std::optional<double>(), std::optional<double>(1000)}) {
    FakeServer server(After(milliseconds(1)));
    const Clock::time_point before = Clock::now();
    const LoadResult result = RunLoad(
        server, {.rate = rate, .concurrency = 2, .duration = milliseconds(50), .calls = {}});
    // The last call of the open loop is due after 49 ms.
    EXPECT_GE(Clock::now() - before, milliseconds(49));
    EXPECT_EQ(result.calls, server.begun());
    EXPECT_FALSE(result.is_interrupted);
  }
}

TEST(LoadRun, MakesExactlyTheRequestedNumberOfCalls) {
  for (const std::optional<double> rate : {std::optional<double>(), std::optional<double>(1e6)}) {
    for (const std::uint64_t calls : {1U, 7U, 1000U}) {
      FakeServer server(AtOnce, 3);
      const LoadResult result =
          RunLoad(server, {.rate = rate, .concurrency = 8, .duration = hours(1), .calls = calls});
      EXPECT_EQ(server.begun(), calls);
      EXPECT_EQ(result.calls, calls);
      EXPECT_EQ(result.unsent, 0U);
      EXPECT_EQ(result.due, rate.has_value() ? calls : 0);
    }
  }
}

TEST(LoadRun, CountsErrorsByCodeAndKeepsTheFirstMessageOfEach) {
  FakeServer server([](std::size_t number) {
    switch (number) {
      case 3:
        return Failure(grpc::StatusCode::UNAVAILABLE, "the first");
      case 5:
        return Failure(grpc::StatusCode::INTERNAL, "oops");
      case 7:
        return Failure(grpc::StatusCode::UNAVAILABLE, "the second");
      default:
        return Fate();
    }
  });
  const LoadResult result = RunLoad(server, {.rate = {}, .duration = {}, .calls = 10});
  EXPECT_EQ(result.calls, 10U);
  EXPECT_EQ(result.errors, 3U);
  EXPECT_THAT(result.status_codes,
              ElementsAre(Pair("INTERNAL", 1), Pair("OK", 7), Pair("UNAVAILABLE", 2)));
  EXPECT_THAT(result.messages,
              ElementsAre(Pair("INTERNAL", "oops"), Pair("UNAVAILABLE", "the first")));
  EXPECT_EQ(result.latency.count(), 7U);
  EXPECT_EQ(result.service_time.count(), 7U);
}

TEST(LoadRun, CountsTheLatencyOfCallsThatTimedOut) {
  FakeServer server([](std::size_t number) {
    return number > 0 ? Fate()
                      : Fate{.service_time = milliseconds(50),
                             .status = grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "")};
  });
  const LoadResult result = RunLoad(server, {.rate = {}, .duration = {}, .calls = 3});
  EXPECT_EQ(result.errors, 1U);
  EXPECT_EQ(result.latency.count(), 3U);
  EXPECT_GE(result.latency.max(), milliseconds(50));
  EXPECT_EQ(result.service_time.count(), 2U);
}

TEST(LoadRun, CountsTheTensorsOfCallsWithoutErrors) {
  FakeServer server([](std::size_t number) {
    return number % 4 == 0 ? Failure(grpc::StatusCode::INTERNAL, "") : Fate();
  });
  const LoadResult result = RunLoad(server, {.rate = {}, .duration = {}, .calls = 100});
  EXPECT_EQ(result.elements, 75 * SmallRequest().element_count());
  EXPECT_EQ(result.tensor_bytes, 75 * SmallRequest().tensor_bytes());
}

TEST(LoadRun, RecordsAllCallsInItsTimeline) {
  FakeServer server([](std::size_t number) {
    return number % 4 == 0 ? Failure(grpc::StatusCode::INTERNAL, "")
                           : Fate{.service_time = milliseconds(5)};
  });
  const LoadResult result =
      RunLoad(server, {.rate = {}, .concurrency = 2, .duration = {}, .calls = 100});
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;
  LatencyHistogram latency;
  for (const Timeline::Interval& interval : result.timeline.intervals()) {
    calls += interval.calls;
    errors += interval.errors;
    latency.Merge(interval.latency);
  }
  EXPECT_EQ(calls, 75U);
  EXPECT_EQ(errors, 25U);
  EXPECT_EQ(latency.count(), result.latency.count());
  EXPECT_EQ(latency.max(), result.latency.max());
  // The load makes 75 calls of 5 ms, two at a time.
  EXPECT_GE(result.timeline.intervals().size(), 2U);
}

TEST(LoadRun, VerifiesTheRequestedShareOfAnswers) {
  for (const double share : {0.0, 0.01, 0.3, 0.5, 1.0}) {
    FakeServer server([](std::size_t) { return RightAnswer(); }, 3);
    const LoadResult result = RunLoad(
        server,
        {.rate = {}, .concurrency = 4, .duration = {}, .calls = 250, .verified_share = share});
    EXPECT_EQ(result.verified, static_cast<std::uint64_t>(250 * share));
    EXPECT_EQ(result.errors, 0U);
  }
}

TEST(LoadRun, DoesNotVerifyCallsWithoutAnswers) {
  FakeServer server([](std::size_t number) {
    return number % 5 == 0 ? Failure(grpc::StatusCode::INTERNAL, "") : RightAnswer();
  });
  const LoadResult result =
      RunLoad(server, {.rate = {}, .duration = {}, .calls = 20, .verified_share = 0.5});
  EXPECT_EQ(result.verified, 8U);
  EXPECT_EQ(result.errors, 4U);
}

TEST(LoadRun, CountsWrongAnswersAsErrors) {
  FakeServer server(
      [](std::size_t number) { return number % 10 == 0 ? WrongAnswer() : RightAnswer(); });
  const LoadResult result =
      RunLoad(server, {.rate = {}, .duration = {}, .calls = 100, .verified_share = 1});
  EXPECT_EQ(result.verified, 100U);
  EXPECT_EQ(result.errors, 10U);
  EXPECT_THAT(result.status_codes, ElementsAre(Pair("OK", 90), Pair(kWrongAnswer, 10)));
  EXPECT_THAT(result.messages,
              ElementsAre(Pair(kWrongAnswer, HasSubstr("output: element 5 is 123"))));
  EXPECT_EQ(result.latency.count(), 90U);
}

TEST(LoadRun, CountsAnswersOfTheWrongSizeAsWrong) {
  FakeServer server(AtOnce);
  const LoadResult result =
      RunLoad(server, {.rate = {}, .duration = {}, .calls = 1, .verified_share = 1});
  EXPECT_THAT(result.status_codes, ElementsAre(Pair(kWrongAnswer, 1)));
}

TEST(LoadRun, PicksRequestsBySeed) {
  std::vector<Workload::Part> parts;
  for (const std::int64_t count : {1, 100, 10'000}) {
    parts.push_back(
        {.request = MakeRequest({.operation = kFakeQuantize,
                                 .tensor = RandomTensor({{count}}, core::ElementType::kFloat32, 1),
                                 .parameters = RangeValues{.min = {-1}, .max = {1}, .axis = {}},
                                 .spec = {}})});
  }
  const Workload workload(MethodOf(kFakeQuantize, wire::Transfer::kUnary), std::move(parts));
  for (const std::uint64_t seed : {1U, 2U}) {
    std::mt19937_64 random(seed);
    std::uint64_t elements = 0;
    for (int call = 0; call < 50; ++call) {
      elements += workload.Pick(random).element_count();
    }
    FakeServer server(AtOnce);
    const LoadResult result =
        LoadRun({.rate = {}, .duration = {}, .calls = 50, .seed = seed}, workload)
            .Run(server.make_calls(), hours(1), {}, {});
    EXPECT_EQ(result.elements, elements);
  }
}

TEST(LoadRun, HandlesAnswersFromManyThreads) {
  for (const std::optional<double> rate : {std::optional<double>(), std::optional<double>(1e5)}) {
    FakeServer server(
        [](std::size_t number) {
          return number % 7 == 0 ? Failure(grpc::StatusCode::INTERNAL, "oops") : RightAnswer();
        },
        4);
    const LoadResult result = RunLoad(
        server,
        {.rate = rate, .concurrency = 16, .duration = {}, .calls = 7000, .verified_share = 0.5});
    EXPECT_EQ(result.calls, 7000U);
    EXPECT_EQ(result.errors, 1000U);
    EXPECT_EQ(result.verified, 3000U);
    EXPECT_EQ(result.latency.count(), 6000U);
    EXPECT_LE(server.most_under_way(), 16U);
  }
}

TEST(LoadRun, ReportsItsProgress) {
  FakeServer server([](std::size_t number) {
    return number == 0
               ? Failure(grpc::StatusCode::INTERNAL, "")
               : Fate{.service_time = number == 1 ? std::optional(milliseconds(1)) : std::nullopt};
  });
  std::vector<LoadProgress> told;
  std::set<std::thread::id> tellers;
  RunLoad(server, {.rate = {}, .duration = {}, .calls = 3}, {}, hours(1),
          [&](const LoadProgress& progress) {
            told.push_back(progress);
            tellers.insert(std::this_thread::get_id());
            if (told.size() >= 2 && progress.calls == 2) {
              server.ReleaseCalls();
            }
          });
  EXPECT_THAT(tellers, ElementsAre(std::this_thread::get_id()));
  ASSERT_GE(told.size(), 2U);
  EXPECT_EQ(told.back().errors, 1U);
  EXPECT_GE(told.back().p99, milliseconds(1));
  std::chrono::duration<double> elapsed(0);
  double calls = 0;
  for (const LoadProgress& progress : told) {
    calls += progress.calls_per_second *
             std::chrono::duration<double>(progress.elapsed - elapsed).count();
    elapsed = progress.elapsed;
    EXPECT_NEAR(calls, static_cast<double>(progress.calls), 0.01);
  }
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
