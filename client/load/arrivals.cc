#include "client/load/arrivals.h"

#include <algorithm>
#include <cmath>

namespace quantd::client {
namespace {

// At very low rates, due times can exceed the range of the clock. Such a time is replaced
// by this one, which never comes.
constexpr std::chrono::nanoseconds kNever = std::chrono::hours(24) * 36500;

}  // namespace

Arrivals::Arrivals(ArrivalProcess process, double rate, std::uint64_t seed)
    : process_(process), rate_(rate), random_(seed) {
  if (process_ == ArrivalProcess::kPoisson) {
    next_seconds_ = Gap();
  }
}

std::chrono::nanoseconds Arrivals::next() const {
  // Constant due times are computed from the call's number, so that rounding errors
  // do not add up.
  const double seconds =
      process_ == ArrivalProcess::kConstant ? static_cast<double>(taken_) / rate_ : next_seconds_;
  const std::chrono::duration<double> time(
      std::min(seconds, std::chrono::duration<double>(kNever).count()));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time);
}

void Arrivals::Advance() {
  ++taken_;
  if (process_ == ArrivalProcess::kPoisson) {
    next_seconds_ += Gap();
  }
}

double Arrivals::Gap() { return std::exponential_distribution<double>(rate_)(random_); }

}  // namespace quantd::client
