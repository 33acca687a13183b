// Schedules the calls of an open loop.

#ifndef QUANTD_CLIENT_LOAD_ARRIVALS_H_
#define QUANTD_CLIENT_LOAD_ARRIVALS_H_

#include <chrono>
#include <cstdint>
#include <random>

namespace quantd::client {

enum class ArrivalProcess {
  // Calls are due at equal intervals.
  kConstant,
  // Calls are independent of each other, like those of many users. The intervals
  // are exponentially distributed.
  kPoisson,
};

// The sequence of due times, measured from the start of the run. They do not depend
// on anything that happens during the run: a slow server does not delay them.
class Arrivals {
 public:
  // `rate` is in calls per second and above 0. The same seed gives the same times.
  Arrivals(ArrivalProcess process, double rate, std::uint64_t seed);

  // Returns when the next call is due. At a constant rate, the first call is due at
  // 0.
  std::chrono::nanoseconds next() const;
  // Moves on to the next call.
  void Advance();

 private:
  double Gap();

  ArrivalProcess process_;
  double rate_;
  std::mt19937_64 random_;
  std::uint64_t taken_ = 0;
  // Only used by the Poisson process.
  double next_seconds_ = 0;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_ARRIVALS_H_
