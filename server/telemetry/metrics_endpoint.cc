#include "server/telemetry/metrics_endpoint.h"

#include <prometheus/exposer.h>

#include <exception>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/base/host_port.h"
#include "core/base/status_macros.h"
#include "server/address.h"
#include "server/telemetry/process_metrics.h"

namespace quantd::server {

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address,
                                                                        const Metrics& metrics) {
  ASSIGN_OR_RETURN(core::HostPort host_port, ParseNetworkAddress(address));
  // The HTTP server accepts only numeric addresses.
  ASSIGN_OR_RETURN(host_port.host, ResolveHost(host_port.host));
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(core::FormatHostPort(host_port));
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
  host_port.port = static_cast<std::uint16_t>(ports.front());
  const std::string url = absl::StrCat("http://", core::FormatHostPort(host_port), "/metrics");
  return absl::WrapUnique(new MetricsEndpoint(std::move(exposer), metrics, url));
}

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer,
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
