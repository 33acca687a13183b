#include "core/simd_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::core {
namespace {

using testing::HasSubstr;

TEST(SimdTarget, IsTheBestSupportedOneUnlessForced) {
  ASSERT_FALSE(SupportedSimdTargets().empty());
  EXPECT_EQ(ActiveSimdTarget(), SupportedSimdTargets().front());
}

TEST(SimdTarget, CanBeForcedToEachSupportedOne) {
  const auto targets = SupportedSimdTargets();
  for (const std::string& target : targets) {
    ASSERT_TRUE(ForceSimdTarget(target).ok());
    EXPECT_EQ(ActiveSimdTarget(), target);
    EXPECT_EQ(SupportedSimdTargets(), targets) << "a forced target hides no other";
  }
  ASSERT_TRUE(ForceSimdTarget("").ok());
  EXPECT_EQ(ActiveSimdTarget(), targets.front());
}

TEST(SimdTarget, RefusesAnUnknownNameAndListsTheValidOnes) {
  const absl::Status status = ForceSimdTarget("MMX");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(SupportedSimdTargets().front()));
  EXPECT_EQ(ActiveSimdTarget(), SupportedSimdTargets().front());
}

}  // namespace
}  // namespace quantd::core
