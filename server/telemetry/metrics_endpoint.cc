#include "server/telemetry/metrics_endpoint.h"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/base/host_port.h"
#include "core/base/status_macros.h"
#include "server/address.h"
#include "server/connections/listening_socket.h"
#include "server/telemetry/process_metrics.h"

namespace quantd::server {
namespace {

constexpr const char* kPath = "/metrics";

std::string Render(Metrics* metrics) {
  const auto start = std::chrono::steady_clock::now();
  std::string text =
      metrics->Text() + prometheus::TextSerializer().Serialize(ProcessMetrics().Collect());
  metrics->PageServed(text.size(), std::chrono::steady_clock::now() - start);
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(const std::string& address,
                                                                        Metrics* metrics) {
  RETURN_IF_ERROR(ParseNetworkAddress(address).status());
  ASSIGN_OR_RETURN(ListeningSockets listening,
                   Listen(std::vector<std::string>{address}, "--metrics-listen", std::nullopt));
  ASSIGN_OR_RETURN(auto server,
                   HttpServer::Start(std::move(listening.sockets),
                                     {.path = kPath,
                                      .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                      .render = [metrics] { return Render(metrics); }}));
  return absl::WrapUnique(new MetricsEndpoint(std::move(server)));
}

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<HttpServer> server) : server_(std::move(server)) {}

std::string MetricsEndpoint::url() const {
  return absl::StrCat("http://", core::FormatHostPort(server_->address()), kPath);
}

}  // namespace quantd::server
