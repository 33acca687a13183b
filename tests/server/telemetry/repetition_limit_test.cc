#include "server/telemetry/repetition_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::server {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr RepetitionLimit::TimePoint kStart{std::chrono::hours(1)};
constexpr RepetitionLimit::TimePoint kEnd = kStart + RepetitionLimit::kInterval;

// Tries `count` events of `group` and returns how many were permitted.
std::size_t Permitted(RepetitionLimit& limit, const std::string& group, std::size_t count,
                      RepetitionLimit::TimePoint now = kStart) {
  std::size_t permitted = 0;
  for (std::size_t i = 0; i < count; ++i) {
    permitted += limit.Permit(group, now) ? 1 : 0;
  }
  return permitted;
}

TEST(RepetitionLimit, PermitsSomeEventsOfEachGroup) {
  RepetitionLimit limit;
  EXPECT_EQ(Permitted(limit, "a", 50), RepetitionLimit::kMaxOfGroup);
  EXPECT_EQ(Permitted(limit, "b", 3), 3);
}

TEST(RepetitionLimit, PermitsNoMoreHoweverManyGroupsThereAre) {
  RepetitionLimit limit;
  std::size_t permitted = 0;
  for (int group = 0; group < 1000; ++group) {
    permitted += Permitted(limit, std::to_string(group), 2);
  }
  EXPECT_EQ(permitted, RepetitionLimit::kMaxOfAll);
}

TEST(RepetitionLimit, ReportsWhatItSuppressedAtTheEndOfTheInterval) {
  RepetitionLimit limit;
  Permitted(limit, "a", RepetitionLimit::kMaxOfGroup + 7);
  Permitted(limit, "b", 1);
  EXPECT_EQ(limit.summary_time(), kEnd);
  EXPECT_THAT(limit.TakeIfOver(kEnd - std::chrono::milliseconds(1)), IsEmpty());
  const auto suppressed = limit.TakeIfOver(kEnd);
  ASSERT_THAT(suppressed, SizeIs(1));
  EXPECT_EQ(suppressed.front().group, "a");
  EXPECT_EQ(suppressed.front().count, 7);
  EXPECT_EQ(limit.summary_time(), std::nullopt);
}

TEST(RepetitionLimit, HasNothingToReportIfItSuppressedNothing) {
  RepetitionLimit limit;
  Permitted(limit, "a", 3);
  EXPECT_EQ(limit.summary_time(), std::nullopt);
  EXPECT_THAT(limit.TakeIfOver(kEnd), IsEmpty());
}

TEST(RepetitionLimit, BeginsAnewAfterAnInterval) {
  RepetitionLimit limit;
  Permitted(limit, "a", 50);
  limit.TakeIfOver(kEnd);
  EXPECT_EQ(Permitted(limit, "a", 50, kEnd), RepetitionLimit::kMaxOfGroup);
  EXPECT_EQ(limit.summary_time(), kEnd + RepetitionLimit::kInterval);
}

}  // namespace
}  // namespace quantd::server
