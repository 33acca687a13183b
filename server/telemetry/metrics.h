// The server's metrics. No other part of the server names a series.
//
// Metrics of calls have the names and labels of go-grpc-prometheus, so that
// dashboards made for it work.

#ifndef QUANTD_SERVER_TELEMETRY_METRICS_H_
#define QUANTD_SERVER_TELEMETRY_METRICS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/connections/connection_refusal.h"
#include "server/settings/server_limits.h"
#include "server/telemetry/log.h"
#include "wire/methods.h"

namespace quantd::server {

using Seconds = std::chrono::duration<double>;

// What is in flight at a moment.
struct LoadFigures {
  // Calls that have been admitted and have not ended.
  std::size_t requests = 0;
  // The memory that is reserved for messages and answers.
  std::uint64_t bytes = 0;
  // Messages that wait for memory.
  std::size_t waiting = 0;
};

// The tensors of one run of a kernel.
struct KernelTensors {
  std::size_t elements = 0;
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
};

// Counts calls, messages, elements and bytes. Thread-safe; no method blocks for
// long. Every series whose labels are known in advance exists from the start, at
// 0, so that rate() sees its first event.
class Metrics {
 public:
  // `simd_target` is the SIMD target in use, for quantd_build_info. `limits` are
  // exported as gauges, to be compared with what is in flight. The lines that `log`
  // drops are counted if it is not null; it must outlive this.
  Metrics(std::string_view simd_target, const ServerLimits& limits, const Log* log = nullptr);
  ~Metrics();

  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Counts a call that has arrived.
  void CallStarted(const wire::Method& method);
  // Counts a request message that was read.
  void MessageReceived(const wire::Method& method);
  // Counts a response message that is about to be sent.
  void MessageSent(const wire::Method& method);
  // Counts a call that is about to end with `status`: its code, its duration, and the
  // reason if `status` carries one.
  void CallHandled(const wire::Method& method, const absl::Status& status, Seconds duration);

  // Counts a call of another service, or a request for the metrics page, that was refused with
  // `status`: its reason. CallHandled() counts those of our own methods.
  void AccessDenied(const absl::Status& status);

  // Counts that files which had changed were read again, and whether they could be used.
  void FilesReloaded(bool used);
  // Sets when the server's certificate expires.
  void SetCertificateExpiry(std::chrono::system_clock::time_point expiry);

  // Counts a kernel run for a request that came over gRPC. `operation` is the index of
  // the operation in wire::Operations.
  void KernelRun(std::size_t operation, Seconds duration, const KernelTensors& tensors);

  // From now on, the gauges of what is in flight have the figures that `source` returns
  // when the metrics are read. It may be called on any thread, as long as this lives.
  void ReadLoadFrom(std::function<LoadFigures()> source);

  // Counts a connection that was accepted, or refused.
  void ConnectionAccepted();
  void ConnectionRefused(ConnectionRefusal refusal);
  // Counts a connection that was broken off.
  void ConnectionBrokenOff(ConnectionBreak reason);
  // Sets the number of connections that are open now.
  void SetOpenConnections(std::size_t number);

  // Counts an answer of the metrics page, which has `bytes` and took `duration` to make.
  void PageServed(std::size_t bytes, Seconds duration);

  // Returns these metrics in Prometheus' text format.
  std::string Text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_METRICS_H_
