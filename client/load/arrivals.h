// When the calls of an open loop are due.

#ifndef QUANTD_CLIENT_LOAD_ARRIVALS_H_
#define QUANTD_CLIENT_LOAD_ARRIVALS_H_

#include <chrono>
#include <cstdint>
#include <random>

namespace quantd::client {

enum class ArrivalProcess {
  // At equal distances.
  kConstant,
  // Independent of each other, as the calls of many users are: exponentially
  // distributed distances.
  kPoisson,
};

// The sequence of due times, counted from the run's begin. They depend on
// nothing that happens in the run: a server that is slow does not delay them.
class Arrivals {
 public:
  // `rate` is above 0, in calls a second. The same seed gives the same times.
  Arrivals(ArrivalProcess process, double rate, std::uint64_t seed);

  // When the next call is due. The first one of a constant rate at 0.
  std::chrono::nanoseconds next() const;
  // The next call has been taken.
  void Advance();

 private:
  double Gap();

  ArrivalProcess process_;
  double rate_;
  std::mt19937_64 random_;
  std::uint64_t taken_ = 0;
  // Of the Poisson process.
  double next_seconds_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_ARRIVALS_H_
