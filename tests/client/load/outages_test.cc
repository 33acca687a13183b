#include "client/load/outages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Outages, LastFromTheFirstUnansweredCallToTheNextAnswer) {
  OutageRecorder recorder;
  recorder.AddAnswer(milliseconds(500));
  recorder.AddUnanswered(milliseconds(600));
  recorder.AddUnanswered(milliseconds(800));
  recorder.AddAnswer(milliseconds(1400));
  const Outages outages = recorder.OutagesUntil(seconds(2));
  EXPECT_EQ(outages.count, 1U);
  EXPECT_EQ(outages.total, milliseconds(800));
  EXPECT_EQ(outages.longest, milliseconds(800));
}

TEST(Outages, BeginWithTheLastAnswerIfTheFirstCallWasSentBefore) {
  OutageRecorder recorder;
  recorder.AddAnswer(milliseconds(500));
  recorder.AddUnanswered(milliseconds(100));
  EXPECT_EQ(recorder.OutagesUntil(seconds(1)).total, milliseconds(500));
}

TEST(Outages, EndWithTheLoadIfNobodyAnswersAnyMore) {
  OutageRecorder recorder;
  recorder.AddUnanswered(seconds(0));
  EXPECT_EQ(recorder.OutagesUntil(seconds(3)).total, seconds(3));
}

TEST(Outages, AreAddedUpAndTheLongestIsKept) {
  OutageRecorder recorder;
  for (const milliseconds begin : {seconds(1), seconds(3), seconds(6)}) {
    recorder.AddUnanswered(begin);
    recorder.AddAnswer(begin == seconds(3) ? seconds(5) : begin + seconds(1));
  }
  const Outages outages = recorder.OutagesUntil(seconds(9));
  EXPECT_EQ(outages.count, 3U);
  EXPECT_EQ(outages.total, seconds(4));
  EXPECT_EQ(outages.longest, seconds(2));
}

TEST(Outages, LeaveOutSingleFailures) {
  OutageRecorder recorder;
  recorder.AddUnanswered(milliseconds(100));
  recorder.AddAnswer(milliseconds(199));
  EXPECT_EQ(recorder.OutagesUntil(seconds(1)).count, 0U);
  recorder.AddUnanswered(milliseconds(300));
  recorder.AddAnswer(milliseconds(400));
  EXPECT_EQ(recorder.OutagesUntil(seconds(1)).count, 1U);
}

TEST(Outages, DoNotEndWithAnAnswerFromBeforeThatIsReportedLater) {
  OutageRecorder recorder;
  recorder.AddUnanswered(milliseconds(500));
  recorder.AddAnswer(milliseconds(400));
  recorder.AddAnswer(milliseconds(900));
  EXPECT_EQ(recorder.OutagesUntil(seconds(1)).total, milliseconds(400));
}

TEST(Outages, OfLoadsAreAddedUp) {
  Outages outages{.count = 1, .total = seconds(2), .longest = seconds(2)};
  outages.Append({.count = 2, .total = seconds(4), .longest = seconds(3)});
  EXPECT_EQ(outages.count, 3U);
  EXPECT_EQ(outages.total, seconds(6));
  EXPECT_EQ(outages.longest, seconds(3));
}

TEST(Outages, AreOfCallsThatNobodyAnswered) {
  EXPECT_TRUE(IsUnanswered(absl::UnavailableError("")));
  EXPECT_TRUE(IsUnanswered(absl::DeadlineExceededError("")));
  EXPECT_TRUE(IsUnanswered(absl::AbortedError("")));
  EXPECT_FALSE(IsUnanswered(absl::OkStatus()));
  EXPECT_FALSE(IsUnanswered(absl::ResourceExhaustedError("")));
  EXPECT_FALSE(IsUnanswered(absl::InvalidArgumentError("")));
}

}  // namespace
}  // namespace quantd::client
