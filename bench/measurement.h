// What is measured of calls that are made again and again.

#ifndef QUANTD_BENCH_MEASUREMENT_H_
#define QUANTD_BENCH_MEASUREMENT_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace quantd::bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// How long to measure.
struct MeasurementLimits {
  // Both last until their time has passed and they have had their calls.
  std::chrono::milliseconds warmup{100};
  std::chrono::milliseconds duration{1000};
  std::size_t calls = 1;
  // Calls that are always outstanding. If all of them end at about the same time,
  // a part of them would count too much or too little: the warm-up has at least as
  // many calls, and the measurement has a multiple of them.
  std::size_t in_flight = 1;
};

struct MeasurementResult {
  Seconds time{};
  // Of every call, from its start to its end; sorted.
  std::vector<Seconds> latencies;
  Seconds client_cpu_time{};
  // Nothing if the server's process is not known.
  std::optional<Seconds> server_cpu_time;

  // Returns the latency that the share `quantile` (0..1) of the calls did not
  // exceed. There was at least one call.
  Seconds Latency(double quantile) const;
};

// Records calls as they end. The clock runs from the end of the warm-up's
// last call to the end of the last call that counts, so that with any number of
// calls outstanding whole calls are counted, of this process' CPU time and the
// server's as well. Safe for several threads.
class Measurement {
 public:
  // `server` is the process whose CPU time is the server's, if it is known.
  Measurement(const MeasurementLimits& limits, std::optional<pid_t> server)
      : limits_(limits), server_(server) {}

  Measurement(const Measurement&) = delete;
  Measurement& operator=(const Measurement&) = delete;

  // Records that the call that was started at `start` has ended. Returns true if
  // another one is needed.
  bool CallEnded(Clock::time_point start) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the result, once CallEnded() has returned false.
  MeasurementResult Result() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The clocks, all at one time.
  struct Moment {
    Clock::time_point time;
    Seconds client_cpu_time{};
    std::optional<Seconds> server_cpu_time;
  };

  Moment Now() const;

  const MeasurementLimits limits_;
  const std::optional<pid_t> server_;
  const Clock::time_point warmup_begin_ = Clock::now();
  mutable core::Mutex mutex_;
  std::size_t warmup_calls_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Seconds> latencies_ ABSL_GUARDED_BY(mutex_);
  std::optional<Moment> begin_ ABSL_GUARDED_BY(mutex_);
  std::optional<Moment> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::bench

#endif  // QUANTD_BENCH_MEASUREMENT_H_
