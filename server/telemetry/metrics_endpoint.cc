#include "server/telemetry/metrics_endpoint.h"

#include <prometheus/exposer.h>

#include <exception>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/address.h"
#include "server/telemetry/process_metrics.h"

namespace quantd::server {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address,
                                                                        const Metrics& metrics) {
  absl::StatusOr<HostPort> host_port = ParseHostPort(address);
  if (!host_port.ok()) {
    return host_port.status();
  }
  // The HTTP server accepts only numeric addresses.
  absl::StatusOr<std::string> number = ResolveHost(host_port->host);
  if (!number.ok()) {
    return number.status();
  }
  host_port->host = *std::move(number);
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(FormatHostPort(*host_port));
  } catch (const std::exception& exception) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on ", address, " (", exception.what(),
                     "); expected a free address of this machine: choose another one with "
                     "--metrics-listen, or stop the process that listens there"));
  }
  const std::vector<int> ports = exposer->GetListeningPorts();
  if (ports.empty()) {
    return absl::InternalError(absl::StrCat("the metrics server on ", address, " has no port"));
  }
  host_port->port = static_cast<std::uint16_t>(ports.front());
  const std::string url = absl::StrCat("http://", FormatHostPort(*host_port), "/metrics");
  return std::make_unique<MetricsEndpoint>(PrivateKey(), std::move(exposer), metrics, url);
}

MetricsEndpoint::MetricsEndpoint(PrivateKey /*key*/, std::unique_ptr<prometheus::Exposer> exposer,
                                 const Metrics& metrics, std::string url)
    : metrics_(metrics.collectable()),
      process_metrics_(std::make_shared<ProcessMetrics>()),
      exposer_(std::move(exposer)),
      url_(std::move(url)) {
  exposer_->RegisterCollectable(metrics_);
  exposer_->RegisterCollectable(process_metrics_);
}

MetricsEndpoint::~MetricsEndpoint() = default;

}  // namespace quantd::server
