// The HTTP endpoint that Prometheus scrapes.

#ifndef QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
#define QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/telemetry/http_server.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// Serves the server's and the process's metrics over HTTP on /metrics until it is
// destroyed. Runs its own thread.
class MetricsEndpoint {
 public:
  // Starts serving `metrics`, which must outlive this, on `address`. The address is HOST:PORT; port
  // 0 picks a free port. "localhost" and other names stand for all their addresses on this machine.
  //
  // Errors: kInvalidArgument if `address` does not have this form; those of Listen().
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const std::string& address,
                                                                Metrics* metrics);

  // The URL with the actual port, such as "http://127.0.0.1:9464/metrics".
  std::string url() const;

 private:
  explicit MetricsEndpoint(std::unique_ptr<HttpServer> server);

  std::unique_ptr<HttpServer> server_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
