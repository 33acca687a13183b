// Tests what a load records of its calls, against a fake server that lets tests choose
// answers and how long they take.

#include "client/load/load_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/client/load/fake_server.h"
#include "tests/client/load/small_load.h"
#include "tests/client/load/small_requests.h"

namespace quantd::client {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

using Clock = std::chrono::steady_clock;
using Fate = FakeServer::Fate;

Fate Failure(grpc::StatusCode code, const std::string& message) {
  return {.status = grpc::Status(code, message)};
}

Fate RightAnswer() { return {.answer = Encode(AnswerTo(SmallRequest()))}; }

Fate WrongAnswer() {
  v1::FakeQuantizeResponse answer = AnswerTo(SmallRequest());
  SetElement(answer.mutable_output(), 5, 123);
  return {.answer = Encode(answer)};
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

}  // namespace
}  // namespace quantd::client
