// The server's metrics: the only place that names a series.
//
// Names and labels of calls are those of go-grpc-prometheus, so that dashboards
// made for it work.

#ifndef QUANTD_SERVER_TELEMETRY_METRICS_H_
#define QUANTD_SERVER_TELEMETRY_METRICS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/settings/server_limits.h"
#include "wire/methods.h"

namespace prometheus {
class Collectable;
}  // namespace prometheus

namespace quantd::server {

using Seconds = std::chrono::duration<double>;

// The tensors of one run of a kernel.
struct KernelTensors {
  std::size_t elements = 0;
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
};

// Counts. All methods may be called from any thread, and none waits for long.
// Every series whose labels are known beforehand is there from the
// start, at 0, so that a rate() sees its first event.
class Metrics {
 public:
  // `simd_target` is the one in use, for quantd_build_info; `limits` are what the
  // gauges of what is in flight are to be compared with.
  Metrics(std::string_view simd_target, const ServerLimits& limits);
  ~Metrics();

  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A call has arrived.
  void CallStarted(const wire::Method& method);
  // A request message of it was read / a response is about to be sent.
  void MessageReceived(const wire::Method& method);
  void MessageSent(const wire::Method& method);
  // It was let in / is about to end. Each entry is left once.
  void CallEnteredFlight();
  void CallLeftFlight();
  // A message of it begins to be worked on / is answered.
  void MessageEnteredFlight(std::uint64_t bytes);
  void MessageLeftFlight(std::uint64_t bytes);
  // It is about to end with `status`. Counts the code, the time, and the reason
  // where it was refused with one.
  void CallHandled(const wire::Method& method, const absl::Status& status, Seconds duration);

  // A kernel has run for a request that came over gRPC. `operation` is the index of
  // the operation in wire::Operations.
  void KernelRun(std::size_t operation, Seconds duration, const KernelTensors& tensors);

  // What a scrape shows of these metrics.
  std::shared_ptr<prometheus::Collectable> collectable() const;

  // The same in Prometheus' text format.
  std::string Text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_METRICS_H_
