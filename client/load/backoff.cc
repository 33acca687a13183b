#include "client/load/backoff.h"

#include <algorithm>
#include <cassert>

namespace quantd::client {

std::chrono::nanoseconds Backoff::After(std::uint32_t failures) {
  assert(failures > 0);
  // More doublings exceed the longest time anyway.
  constexpr std::uint32_t kMaxDoublings = 10;
  const std::chrono::nanoseconds longest = std::min<std::chrono::nanoseconds>(
      kFirstBackoff * (1U << std::min(failures - 1, kMaxDoublings)), kLongestBackoff);
  std::uniform_int_distribution<std::int64_t> length(longest.count() / 2, longest.count());
  return std::chrono::nanoseconds(length(random_));
}

}  // namespace quantd::client
