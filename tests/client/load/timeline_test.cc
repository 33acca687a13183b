#include "client/load/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Timeline::Interval Sum(const Timeline& timeline) {
  Timeline::Interval sum;
  for (const Timeline::Interval& interval : timeline.intervals()) {
    sum.calls += interval.calls;
    sum.errors += interval.errors;
    sum.latency.Merge(interval.latency);
  }
  return sum;
}

TEST(Timeline, HasNoIntervalsBeforeAnythingEnded) {
  EXPECT_THAT(Timeline().intervals(), IsEmpty());
}

TEST(Timeline, AssignsCallsToTenthsOfASecond) {
  Timeline timeline;
  timeline.AddCall(milliseconds(0), milliseconds(1));
  timeline.AddCall(milliseconds(250), milliseconds(3));
  timeline.AddCall(milliseconds(299), milliseconds(4));
  timeline.AddError(milliseconds(299));
  timeline.AddError(milliseconds(300));
  EXPECT_EQ(timeline.interval_length(), milliseconds(100));
  ASSERT_THAT(timeline.intervals(), SizeIs(4));
  EXPECT_EQ(timeline.intervals()[0].calls, 1U);
  EXPECT_EQ(timeline.intervals()[0].latency.max(), milliseconds(1));
  EXPECT_EQ(timeline.intervals()[1].calls, 0U);
  EXPECT_EQ(timeline.intervals()[2].calls, 2U);
  EXPECT_EQ(timeline.intervals()[2].errors, 1U);
  EXPECT_EQ(timeline.intervals()[2].latency.min(), milliseconds(3));
  EXPECT_EQ(timeline.intervals()[2].latency.max(), milliseconds(4));
  EXPECT_EQ(timeline.intervals()[3].errors, 1U);
}

TEST(Timeline, CountsCallsThatEndedBeforeTheStartAtTheStart) {
  Timeline timeline;
  timeline.AddCall(milliseconds(-1), milliseconds(1));
  ASSERT_THAT(timeline.intervals(), SizeIs(1));
  EXPECT_EQ(timeline.intervals()[0].calls, 1U);
}

TEST(Timeline, DoublesItsIntervalsBeforeThereAreTooMany) {
  Timeline timeline;
  // The calls are in intervals 0, 11, 22, …, which become 0, 5, 11, ….
  for (int call = 0; call <= 10; ++call) {
    timeline.AddCall(milliseconds(1100) * call, milliseconds(call));
  }
  EXPECT_EQ(timeline.interval_length(), milliseconds(100));
  timeline.AddError(seconds(12));
  EXPECT_EQ(timeline.interval_length(), milliseconds(200));
  ASSERT_THAT(timeline.intervals(), SizeIs(61));
  for (std::size_t call = 0; call <= 10; ++call) {
    const Timeline::Interval& interval = timeline.intervals()[11 * call / 2];
    EXPECT_EQ(interval.calls, 1U);
    EXPECT_EQ(interval.latency.max(), milliseconds(call));
  }
  EXPECT_EQ(timeline.intervals()[60].errors, 1U);
}

TEST(Timeline, LosesNothingOverDays) {
  Timeline timeline;
  std::uint64_t added = 0;
  for (nanoseconds when = milliseconds(1); when < std::chrono::hours(100); when *= 2) {
    timeline.AddCall(when, when);
    timeline.AddError(when);
    ++added;
    EXPECT_LE(timeline.intervals().size(), Timeline::kMaxIntervals);
    EXPECT_EQ(timeline.intervals().size(),
              static_cast<std::size_t>(when / timeline.interval_length()) + 1);
  }
  EXPECT_GT(timeline.interval_length(), minutes(30));
  const Timeline::Interval sum = Sum(timeline);
  EXPECT_EQ(sum.calls, added);
  EXPECT_EQ(sum.errors, added);
  EXPECT_EQ(sum.latency.count(), added);
  EXPECT_EQ(sum.latency.min(), milliseconds(1));
}

TEST(Timeline, AppendsAnotherRunAtItsEnd) {
  Timeline timeline;
  timeline.AddCall(milliseconds(50), milliseconds(1));
  Timeline next;
  next.AddCall(milliseconds(50), milliseconds(2));
  next.AddError(milliseconds(150));
  timeline.Append(next, milliseconds(300));
  ASSERT_THAT(timeline.intervals(), SizeIs(5));
  EXPECT_EQ(timeline.intervals()[0].calls, 1U);
  EXPECT_EQ(timeline.intervals()[3].calls, 1U);
  EXPECT_EQ(timeline.intervals()[3].latency.max(), milliseconds(2));
  EXPECT_EQ(timeline.intervals()[4].errors, 1U);
}

TEST(Timeline, AppendsARunWithAnotherIntervalLength) {
  Timeline timeline;
  timeline.AddCall(milliseconds(50), milliseconds(1));
  Timeline hour;
  for (int minute = 0; minute < 60; ++minute) {
    hour.AddCall(minutes(minute), milliseconds(2));
  }
  timeline.Append(hour, seconds(1));
  EXPECT_EQ(timeline.interval_length(), hour.interval_length());
  EXPECT_EQ(Sum(timeline).calls, 61U);
  EXPECT_EQ(Sum(timeline).latency.count(), 61U);
}

}  // namespace
}  // namespace quantd::client
