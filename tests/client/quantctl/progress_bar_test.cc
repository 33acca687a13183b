#include "client/quantctl/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>

namespace quantd::client {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Shown(std::int64_t done, std::int64_t total, bool is_watched = true) {
  std::ostringstream output;
  std::ostringstream error;
  ProgressBar bar({.output = output, .error = error, .error_is_watched = is_watched});
  bar.Show(done, total, "steps");
  EXPECT_THAT(output.str(), IsEmpty());
  return error.str();
}

TEST(ProgressBar, IsFilledByTheShareThatIsDone) {
  EXPECT_THAT(Shown(0, 10), HasSubstr("[..............................] 0/10 steps"));
  EXPECT_THAT(Shown(5, 10), HasSubstr("[###############...............] 5/10 steps"));
  EXPECT_THAT(Shown(10, 10), HasSubstr("[##############################] 10/10 steps"));
}

TEST(ProgressBar, IsFullIfMoreIsDoneThanThereWasToDo) {
  EXPECT_THAT(Shown(12, 10), HasSubstr("[##############################] 12/10 steps"));
  EXPECT_THAT(Shown(1, 0), HasSubstr("[##############################] 1/0 steps"));
}

TEST(ProgressBar, HasRoomForLargeNumbers) {
  constexpr std::int64_t kTrillion = 1'000'000'000'000;
  EXPECT_THAT(Shown(kTrillion / 2, kTrillion),
              HasSubstr("[###############...............] 500000000000/1000000000000 steps"));
}

TEST(ProgressBar, IsOnlyShownOnATerminal) { EXPECT_THAT(Shown(5, 10, false), IsEmpty()); }

}  // namespace
}  // namespace quantd::client
