#include "server/connections/call_flood.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace quantd::server {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMaxInMemory = 10;
const CallFlood::TimePoint kStart{std::chrono::hours(1)};

TEST(CallFlood, IsMoreCallsThanMayBeInMemory) {
  CallFlood flood(kStart);
  EXPECT_FALSE(flood.Look({.in_memory = 10}, kMaxInMemory, kStart));
  EXPECT_TRUE(flood.Look({.in_memory = 11}, kMaxInMemory, kStart));
}

TEST(CallFlood, IsManyAbortedCallsInAShortTime) {
  CallFlood flood(kStart);
  EXPECT_FALSE(flood.Look({.failed = 1500}, kMaxInMemory, kStart + milliseconds(100)));
  EXPECT_TRUE(flood.Look({.failed = 3000}, kMaxInMemory, kStart + milliseconds(200)));
}

TEST(CallFlood, IsNotAnOldConnectionWithManyAbortedCalls) {
  CallFlood flood(kStart);
  EXPECT_FALSE(flood.Look({.failed = 5000}, kMaxInMemory, kStart + std::chrono::hours(1)));
}

TEST(CallFlood, IsNotAClientThatAbortsAllOfItsCallsOnce) {
  CallFlood flood(kStart);
  EXPECT_FALSE(flood.Look({.failed = 2000}, kMaxInMemory, kStart));
  EXPECT_FALSE(flood.Look({.failed = 4000}, kMaxInMemory, kStart + milliseconds(2000)));
}

TEST(CallFlood, IsNotAClientThatOftenAbortsSomeCalls) {
  CallFlood flood(kStart);
  for (std::uint64_t second = 0; second < 100; ++second) {
    EXPECT_FALSE(
        flood.Look({.failed = 1000 * second}, kMaxInMemory, kStart + std::chrono::seconds(second)));
  }
}

TEST(CallFlood, IsNotAClientThatLosesPatienceWithCallsThatItHasSent) {
  CallFlood flood(kStart);
  EXPECT_FALSE(flood.Look({.failed = 9000, .messages = 9000}, kMaxInMemory, kStart));
  // Messages do not permit calls to be aborted later.
  EXPECT_FALSE(flood.Look({.failed = 9000, .messages = 99000}, kMaxInMemory, kStart));
  EXPECT_TRUE(flood.Look({.failed = 12000, .messages = 99000}, kMaxInMemory, kStart));
}

}  // namespace
}  // namespace quantd::server
