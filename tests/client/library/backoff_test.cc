#include "client/library/backoff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <set>

namespace quantd::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;
using ::testing::SizeIs;

constexpr milliseconds kLongestBackoff{1000};

TEST(Backoff, DoublesWithEachFailureUpToASecond) {
  Backoff backoff(milliseconds(10), kLongestBackoff, 1);
  std::uint32_t failures = 0;
  for (const milliseconds longest :
       {milliseconds(10), milliseconds(20), milliseconds(40), milliseconds(80), milliseconds(160),
        milliseconds(320), milliseconds(640), milliseconds(1000), milliseconds(1000)}) {
    ++failures;
    for (int draw = 0; draw < 100; ++draw) {
      EXPECT_THAT(backoff.After(failures), AllOf(Ge(longest / 2), Le(longest))) << failures;
    }
  }
  EXPECT_THAT(backoff.After(std::numeric_limits<std::uint32_t>::max()),
              AllOf(Ge(kLongestBackoff / 2), Le(kLongestBackoff)));
}

TEST(Backoff, DiffersFromDrawToDraw) {
  Backoff backoff(milliseconds(10), kLongestBackoff, 1);
  std::set<nanoseconds> waits;
  for (int draw = 0; draw < 100; ++draw) {
    waits.insert(backoff.After(5));
  }
  EXPECT_THAT(waits, SizeIs(Ge(90U)));
}

}  // namespace
}  // namespace quantd::client
