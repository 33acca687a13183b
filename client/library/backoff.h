// How long to wait before the next call after one that nobody answered.

#ifndef QUANTD_CLIENT_LIBRARY_BACKOFF_H_
#define QUANTD_CLIENT_LIBRARY_BACKOFF_H_

#include <chrono>
#include <cstdint>
#include <random>

namespace quantd::client {

// Draws waiting times that grow exponentially, so that a server that is gone is not
// flooded, and that differ at random, so that waiting calls do not return at once.
class Backoff {
 public:
  // `first` and `longest` are above 0 and at most an hour.
  Backoff(std::chrono::nanoseconds first, std::chrono::nanoseconds longest, std::uint64_t seed)
      : first_(first), longest_(longest), random_(seed) {}

  // Returns how long to wait after `failures` failures in a row, at least 1: between half of
  // the first time, doubled with each further failure and at most the longest, and all of it.
  std::chrono::nanoseconds After(std::uint64_t failures);

 private:
  std::chrono::nanoseconds first_;
  std::chrono::nanoseconds longest_;
  std::minstd_rand random_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_BACKOFF_H_
