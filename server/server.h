// The server, assembled.

#ifndef QUANTD_SERVER_SERVER_H_
#define QUANTD_SERVER_SERVER_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/settings/options.h"
#include "server/telemetry/log.h"

namespace quantd::server {

// Serves QuantizationService, health, reflection and metrics, from threads of
// its own, from Start() until Drain() or its destruction.
//
//   auto server = Server::Start(options, &log);
//   if (!server.ok()) return server.status();
//   …
//   absl::Status drained = (*server)->Drain(options.drain_timeout);
class Server {
 public:
  // Serves on all of options.listen when it returns. `options` are as
  // ParseCommandLine() gives them; options.simd_target is set for the whole
  // process. `log` must outlive the server.
  //
  // Errors: kUnavailable, with the address, where one cannot be listened on;
  // those of core::ForceSimdTarget() and MetricsEndpoint::Start().
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options, Log* log);

  // Without a Drain() before, cuts off running calls.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // options.listen as they were bound: with the real ports.
  const std::vector<std::string>& addresses() const;

  // Where metrics are served, as a URL; empty where they are not.
  std::string metrics_url() const;

  // Ends serving, once: health turns NOT_SERVING, new calls are refused with
  // SHUTTING_DOWN, running ones have until `timeout` to be answered, then all
  // connections are closed. Metrics are served on.
  //
  // Errors: kDeadlineExceeded where calls were cut off.
  absl::Status Drain(std::chrono::milliseconds timeout);

 private:
  class Impl;

  explicit Server(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SERVER_H_
