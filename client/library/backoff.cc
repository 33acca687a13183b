#include "client/library/backoff.h"

#include <algorithm>
#include <cassert>

namespace quantd::client {

std::chrono::nanoseconds Backoff::After(std::uint64_t failures) {
  assert(failures > 0);
  // More would exceed the longest time anyway, or what a time can be.
  constexpr std::uint64_t kMaxDoublings = 20;
  const std::chrono::nanoseconds longest =
      std::min(first_ * (std::int64_t{1} << std::min(failures - 1, kMaxDoublings)), longest_);
  std::uniform_int_distribution<std::int64_t> length(longest.count() / 2, longest.count());
  return std::chrono::nanoseconds(length(random_));
}

}  // namespace quantd::client
