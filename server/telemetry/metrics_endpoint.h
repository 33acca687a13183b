// The HTTP endpoint that Prometheus scrapes.

#ifndef QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
#define QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/access/access_control.h"
#include "server/access/server_tls.h"
#include "server/telemetry/http_server.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// Who may have the metrics.
struct MetricsAccess {
  // Null: the page is served in plain text.
  const ServerTls* tls = nullptr;
  // Null: everybody may. Otherwise, whoever may call kMetricsName.
  const AccessControl* access_control = nullptr;
};

// Serves the server's and the process's metrics over HTTP on /metrics until it is
// destroyed. Runs its own thread.
class MetricsEndpoint {
 public:
  // Starts serving `metrics` on `address` to whom `access` permits it. The address is HOST:PORT;
  // port 0 picks a free port. "localhost" and other names stand for all their addresses on this
  // machine. `metrics`, `log` and what `access` refers to must outlive this.
  //
  // Errors: kInvalidArgument if `address` does not have this form; those of Listen().
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const std::string& address,
                                                                const MetricsAccess& access,
                                                                Metrics* metrics, Log* log);

  // The URL with the actual port, such as "http://127.0.0.1:9464/metrics"; https with TLS.
  std::string url() const;

 private:
  MetricsEndpoint(std::unique_ptr<HttpServer> server, std::string scheme);

  const std::unique_ptr<HttpServer> server_;
  const std::string scheme_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
