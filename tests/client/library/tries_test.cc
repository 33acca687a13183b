#include "client/library/tries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kNever = Tries::Clock::time_point::max();
const RetryOptions kOptions{.max_outage = std::chrono::minutes(1),
                            .initial_backoff = milliseconds(100),
                            .max_backoff = milliseconds(400)};

TryEnd Unavailable() { return {.status = absl::UnavailableError("gone")}; }

absl::Status WithReason(absl::StatusCode code, core::ErrorReason reason) {
  return core::MakeError(code, reason, "no");
}

TEST(MayEndOtherwise, IfTheServerIsOutOrHasNoRoom) {
  using absl::StatusCode;
  using core::ErrorReason;
  for (const absl::Status& status :
       {absl::UnavailableError("connection refused"),
        WithReason(StatusCode::kUnavailable, ErrorReason::kShuttingDown),
        WithReason(StatusCode::kResourceExhausted, ErrorReason::kInFlightLimit),
        absl::ResourceExhaustedError("the quota of gRPC is used up"),
        absl::InternalError("Received RST_STREAM with error code 1"),
        absl::CancelledError("CANCELLED")}) {
    EXPECT_TRUE(MayEndOtherwise(status)) << status;
  }
  for (const absl::Status& status :
       {absl::InvalidArgumentError("no"), absl::DeadlineExceededError("late"),
        absl::UnauthenticatedError("who?"), absl::PermissionDeniedError("no"),
        absl::InternalError("a bug"), absl::UnimplementedError("what?"),
        absl::ResourceExhaustedError("Received message larger than max (9 vs. 4)"),
        WithReason(StatusCode::kResourceExhausted, ErrorReason::kMessageTooLarge)}) {
    EXPECT_FALSE(MayEndOtherwise(status)) << status;
  }
}

TEST(Tries, GoToEachServerAtOnceAndThenWaitLongerAndLonger) {
  RetryBudget budget;
  Tries tries(kOptions, 3, &budget);
  EXPECT_EQ(tries.Fail("a", Unavailable(), kNever), milliseconds(0));
  EXPECT_EQ(tries.Fail("b", Unavailable(), kNever), milliseconds(0));
  for (const int backoff : {100, 100, 100, 200, 200, 200, 400, 400, 400, 400}) {
    const auto wait = tries.Fail("c", Unavailable(), kNever);
    ASSERT_TRUE(wait.has_value());
    EXPECT_GE(*wait, milliseconds(backoff / 2));
    EXPECT_LE(*wait, milliseconds(backoff));
  }
}

TEST(Tries, WaitAsLongAsTheServerAsks) {
  RetryBudget budget;
  Tries tries(kOptions, 3, &budget);
  TryEnd end = Unavailable();
  end.pushback = milliseconds(1234);
  EXPECT_EQ(tries.Fail("a", end, kNever), milliseconds(1234));
  end.pushback = milliseconds(-1);
  EXPECT_EQ(tries.Fail("a", end, kNever), std::nullopt);
}

TEST(Tries, EndWithAnErrorThatStays) {
  RetryBudget budget;
  Tries tries(kOptions, 3, &budget);
  const absl::Status error = absl::InvalidArgumentError("no");
  EXPECT_EQ(tries.Fail("a", {.status = error}, kNever), std::nullopt);
  EXPECT_EQ(tries.Summarize(error), error);
}

TEST(Tries, EndBeforeTheDeadline) {
  RetryBudget budget;
  Tries tries(kOptions, 1, &budget);
  const auto deadline = Tries::Clock::now() + milliseconds(10);
  EXPECT_EQ(tries.Fail("a", Unavailable(), deadline), std::nullopt);
}

TEST(Tries, EndWhenTheOutageIsTooLongUnlessThereIsProgress) {
  RetryOptions options = kOptions;
  options.max_outage = milliseconds(1);
  RetryBudget budget;
  Tries tries(options, 1, &budget);
  EXPECT_EQ(tries.Fail("a", Unavailable(), kNever), std::nullopt);
  options.max_outage = milliseconds(0);
  Tries never(options, 9, &budget);
  EXPECT_EQ(never.Fail("a", Unavailable(), kNever), std::nullopt);
  options.max_outage = milliseconds(110);
  Tries twice(options, 1, &budget);
  EXPECT_NE(twice.Fail("a", Unavailable(), kNever), std::nullopt);
  EXPECT_EQ(twice.Fail("a", Unavailable(), kNever).value_or(milliseconds(0)) > milliseconds(110),
            false);
  twice.Progress();
  EXPECT_NE(twice.Fail("a", Unavailable(), kNever), std::nullopt) << "a new outage";
}

TEST(Tries, EndWhenTheBudgetIsUsedUp) {
  RetryBudget budget;
  for (std::int64_t i = 0; i < RetryBudget::kMaxTries; ++i) {
    Tries tries(kOptions, 1, &budget);
    ASSERT_NE(tries.Fail("a", Unavailable(), kNever), std::nullopt) << i;
  }
  Tries tries(kOptions, 1, &budget);
  EXPECT_EQ(tries.Fail("a", Unavailable(), kNever), std::nullopt);
  for (int i = 0; i < 4; ++i) {
    budget.Earn();
  }
  EXPECT_FALSE(budget.Take());
  budget.Earn();
  EXPECT_TRUE(budget.Take());
  EXPECT_FALSE(budget.Take());
}

TEST(Tries, AreListedInTheError) {
  RetryBudget budget;
  Tries tries(kOptions, 2, &budget);
  tries.Fail("a:1", {.status = absl::UnavailableError("refused")}, kNever);
  tries.Fail("b:1", {.status = absl::UnavailableError("reset")}, kNever);
  tries.Fail("a:1", {.status = absl::UnavailableError("refused again")}, kNever);
  const absl::Status last =
      core::MakeError(absl::StatusCode::kUnavailable, core::ErrorReason::kShuttingDown, "stops");
  const absl::Status error = tries.Summarize(last);
  EXPECT_TRUE(absl::IsUnavailable(error));
  EXPECT_EQ(core::GetErrorDetail(error)->reason, "SHUTTING_DOWN");
  EXPECT_THAT(std::string(error.message()),
              AllOf(StartsWith("stops (3 tries in 0."), HasSubstr(" s; b:1: reset)")));
}

}  // namespace
}  // namespace quantd::client
