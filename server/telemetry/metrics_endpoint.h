// The page that Prometheus scrapes.

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

// Serves metrics, and those of the process, over HTTP on /metrics, from threads
// of its own, until it is destroyed.
class MetricsEndpoint {
 public:
  // `address` is HOST:PORT; port 0 takes a free one.
  //
  // Errors: kInvalidArgument for another text; kNotFound where the host is not
  // known; kUnavailable, with the address, where it cannot be listened on.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(const std::string& address,
                                                                const Metrics& metrics);

  ~MetricsEndpoint();

  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  // "http://127.0.0.1:9464/metrics", with the real port.
  const std::string& url() const { return url_; }

 private:
  MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer, const Metrics& metrics,
                  std::string url);

  // What the exposer shows; it holds them weakly.
  std::shared_ptr<prometheus::Collectable> metrics_;
  std::shared_ptr<prometheus::Collectable> process_metrics_;
  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string url_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_METRICS_ENDPOINT_H_
