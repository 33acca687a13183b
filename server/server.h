// The complete server.

#ifndef QUANTD_SERVER_SERVER_H_
#define QUANTD_SERVER_SERVER_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/worker_pool.h"
#include "server/settings/options.h"
#include "server/telemetry/log.h"

namespace quantd::server {

// Serves QuantizationService, health, reflection and metrics from Start() until
// Drain() or its destruction. Runs its own threads.
//
//   auto server = Server::Start(options, &log);
//   if (!server.ok()) return server.status();
//   …
//   absl::Status drained = (*server)->Drain(options.drain_timeout);
class Server {
 public:
  // Starts a server. When this returns, it serves on all addresses in
  // options.listen. `options` has to be valid, as ParseCommandLine() returns it;
  // options.simd_target is applied to the whole process, and so is the limit for open
  // files, which is raised as far as permitted. `log` must outlive the server.
  //
  // Errors: those of Listen(), DeriveConnectionLimits(), core::ForceSimdTarget(),
  // ReloadedFiles::Add() and MetricsEndpoint::Start(); kFailedPrecondition if other machines could
  // call without TLS and options.insecure does not permit it.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, Log* log);

  // Cuts off running calls unless Drain() was called before.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The addresses of options.listen with their actual ports.
  const std::vector<std::string>& addresses() const;

  // The URL of the metrics; empty if they are not served.
  std::string metrics_url() const;

  // The threads that compute. Tests keep them busy.
  core::WorkerPool& worker_pool();

  // Reads certificates, tokens and the policy again if they have changed, as the server does every
  // second. Thread-safe.
  void ReloadFiles();

  // Stops serving: health changes to NOT_SERVING, new calls are refused with
  // SHUTTING_DOWN, running calls have `timeout` to finish, and then all connections
  // are closed. Metrics stay available. Call this at most once.
  //
  // Errors: kDeadlineExceeded if calls were cut off.
  absl::Status Drain(std::chrono::milliseconds timeout);

 private:
  class Impl;

  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SERVER_H_
