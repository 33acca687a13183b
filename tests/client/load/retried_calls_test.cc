#include "client/load/retried_calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "client/load/load_run.h"
#include "tests/client/load/fake_server.h"
#include "tests/client/load/small_load.h"

namespace quantd::client {
namespace {

using std::chrono::milliseconds;

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "gone");

LoadPlan PlanOf(std::size_t concurrency, std::uint64_t calls) {
  LoadPlan plan;
  plan.concurrency = concurrency;
  plan.calls = calls;
  return plan;
}

LoadResult RunRetried(const LoadPlan& plan, FakeServer& server, milliseconds max_outage) {
  const auto make_calls = [&](Calls::Listener& listener) -> std::unique_ptr<Calls> {
    return std::make_unique<RetriedCalls>(
        RetriedCallsOptions{.retry = {.max_outage = max_outage,
                                      .initial_backoff = milliseconds(1),
                                      .max_backoff = milliseconds(2)},
                            .places = plan.concurrency,
                            .servers = 2,
                            .timeout = std::chrono::minutes(1)},
        server.make_calls(), listener);
  };
  return LoadRun(plan, SmallWorkload()).Run(make_calls, std::chrono::hours(1), {}, {});
}

TEST(RetriedCalls, AreMadeAgainUntilTheyAreAnswered) {
  // Two of three tries fail.
  FakeServer server([](std::size_t number) {
    return FakeServer::Fate{.status = number % 3 == 2 ? grpc::Status::OK : kUnavailable};
  });
  const LoadResult result = RunRetried(PlanOf(1, 20), server, milliseconds(5000));
  EXPECT_EQ(result.calls, 20U);
  EXPECT_EQ(result.errors, 0U);
  EXPECT_EQ(result.retries, 40U);
  EXPECT_EQ(server.begun(), 60U);
}

TEST(RetriedCalls, TakeAsLongAsAllTheirTries) {
  FakeServer server([](std::size_t number) {
    return FakeServer::Fate{.service_time = milliseconds(20),
                            .status = number < 3 ? kUnavailable : grpc::Status::OK};
  });
  const LoadResult result = RunRetried(PlanOf(1, 1), server, milliseconds(5000));
  EXPECT_EQ(result.errors, 0U);
  EXPECT_GE(result.service_time.max(), milliseconds(80));
}

TEST(RetriedCalls, EndWithTheirLastErrorAfterTheOutage) {
  FakeServer server(
      [](std::size_t /*number*/) { return FakeServer::Fate{.status = kUnavailable}; });
  const LoadResult result = RunRetried(PlanOf(2, 4), server, milliseconds(20));
  EXPECT_EQ(result.calls, 4U);
  EXPECT_EQ(result.errors, 4U);
  EXPECT_GT(result.retries, 4U);
  EXPECT_EQ(result.status_codes.at("UNAVAILABLE"), 4U);
}

TEST(RetriedCalls, AreNotMadeAgainIfTheErrorWouldStay) {
  FakeServer server([](std::size_t /*number*/) {
    return FakeServer::Fate{.status = {grpc::StatusCode::INVALID_ARGUMENT, "no"}};
  });
  const LoadResult result = RunRetried(PlanOf(1, 3), server, milliseconds(5000));
  EXPECT_EQ(result.errors, 3U);
  EXPECT_EQ(result.retries, 0U);
}

}  // namespace
}  // namespace quantd::client
