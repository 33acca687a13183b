#include "server/connections/connection_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>

namespace quantd::server {
namespace {

using testing::HasSubstr;

ConnectionLimits Derived(std::uint64_t descriptors, std::size_t connections = 0,
                         std::size_t per_peer = 0) {
  const auto limits = DeriveConnectionLimits(descriptors, connections, per_peer);
  EXPECT_TRUE(limits.ok()) << limits.status();
  return limits.value_or(ConnectionLimits());
}

TEST(ConnectionLimits, LeaveDescriptorsForOtherThings) {
  EXPECT_EQ(Derived(64).connections, 32U);
  EXPECT_EQ(Derived(1024).connections, 960U);
}

TEST(ConnectionLimits, AreNeverZero) {
  for (std::uint64_t descriptors = 0; descriptors < 40; ++descriptors) {
    EXPECT_GE(Derived(descriptors).connections, 1U) << descriptors;
    EXPECT_GE(Derived(descriptors).connections_per_peer, 1U) << descriptors;
  }
}

TEST(ConnectionLimits, EndAtTenThousandUnlessMoreAreAskedFor) {
  EXPECT_EQ(Derived(1'000'000).connections, kMaxDerivedConnections);
  EXPECT_EQ(Derived(1'000'000, 20'000).connections, 20'000U);
}

TEST(ConnectionLimits, LetOnePeerHaveHalfByDefault) {
  EXPECT_EQ(Derived(1'000'000).connections_per_peer, kMaxDerivedConnections / 2);
  EXPECT_EQ(Derived(1'000'000, 0, kMaxDerivedConnections).connections_per_peer,
            kMaxDerivedConnections);
}

TEST(ConnectionLimits, AreRefusedIfTheDescriptorsDoNotSuffice) {
  const absl::Status status = DeriveConnectionLimits(1024, 961, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              testing::AllOf(HasSubstr("--max-connections is 961"),
                             HasSubstr("may open 1024 files"), HasSubstr("at most 960")));
}

TEST(ConnectionLimits, AreRefusedIfOnePeerMayHaveMoreThanAll) {
  const absl::Status status = DeriveConnectionLimits(1024, 10, 11).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max-connections-per-peer is 11"));
}

TEST(DescriptorLimit, IsRaisedToTheHardLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 64, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto raised = RaiseDescriptorLimit();
  ASSERT_TRUE(raised.ok()) << raised.status();
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(*raised, before.rlim_max);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace quantd::server
