// How long to wait before the next call after one that nobody answered.

#ifndef QUANTD_CLIENT_LOAD_BACKOFF_H_
#define QUANTD_CLIENT_LOAD_BACKOFF_H_

#include <chrono>
#include <cstdint>
#include <random>

namespace quantd::client {

inline constexpr std::chrono::milliseconds kFirstBackoff{10};
inline constexpr std::chrono::seconds kLongestBackoff{1};

// Draws waiting times that grow exponentially, so that a server that is gone is not
// flooded, and that differ at random, so that waiting calls do not return at once.
class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  // Returns how long to wait after `failures` failures in a row, at least 1: between
  // half of kFirstBackoff, doubled with each further failure and at most
  // kLongestBackoff, and all of it.
  std::chrono::nanoseconds After(std::uint32_t failures);

 private:
  std::minstd_rand random_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_BACKOFF_H_
