// The HTTP endpoint that Prometheus scrapes.

#ifndef QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
#define QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/telemetry/metrics.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace quantd::server {

// Serves the server's and the process's metrics over HTTP on /metrics until it is
// destroyed. Runs its own threads.
class MetricsEndpoint {
 public:
  // Starts serving `metrics` on `address`, which is HOST:PORT; port 0 picks a free
  // port.
  //
  // Errors: kInvalidArgument if `address` does not have this form; kNotFound if the
  // host is unknown; kUnavailable, with the address, if it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const std::string& address,
                                                                const Metrics& metrics);

  ~MetricsEndpoint();

  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  // The URL with the actual port, such as "http://127.0.0.1:9464/metrics".
  const std::string& url() const { return url_; }

 private:
  MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer, const Metrics& metrics,
                  std::string url);

  // The exposer holds only weak references to these.
  std::shared_ptr<prometheus::Collectable> metrics_;
  std::shared_ptr<prometheus::Collectable> process_metrics_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string url_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
