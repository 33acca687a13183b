// Measures repeated calls.

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

// Determines how long to measure.
struct MeasurementLimits {
  // The warm-up and the measurement last at least this long, and have at least the
  // number of calls below.
  std::chrono::milliseconds warmup{100};
  std::chrono::milliseconds duration{1000};
  std::size_t calls = 1;
  // The number of calls that are always outstanding. They may all end at about the same
  // time, and counting only a part of such a group would distort the result. So the
  // warm-up has at least this many calls, and the measurement a multiple of them.
  std::size_t in_flight = 1;
};

struct MeasurementResult {
  Seconds time{};
  // The time from start to end of every call, sorted.
  std::vector<Seconds> latencies;
  Seconds client_cpu_time{};
  // Nothing if the server's process is not known.
  std::optional<Seconds> server_cpu_time;

  // Returns the latency that the share `quantile` (0..1) of the calls did not
  // exceed. There was at least one call.
  Seconds Latency(double quantile) const;
};

// Records calls as they end. Time is measured from the end of the warm-up's last call
// to the end of the last call that counts. So it covers whole calls for any number of
// outstanding calls. The same applies to the CPU time of this process and of the server.
// Thread-safe.
class Measurement {
 public:
  // `server` is the process of the server, if it is known; its CPU time is measured.
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
  // The values of all clocks at one time.
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
