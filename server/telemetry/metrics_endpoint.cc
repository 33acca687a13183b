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
#include "server/access/access_guard.h"
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
                                                                        const MetricsAccess& access,
                                                                        Metrics* metrics,
                                                                        Log* log) {
  RETURN_IF_ERROR(ParseNetworkAddress(address).status());
  ASSIGN_OR_RETURN(ListeningSockets listening,
                   Listen(std::vector<std::string>{address}, "--metrics-listen", std::nullopt));
  HttpPage page = {.path = kPath,
                   .content_type = "text/plain; version=0.0.4; charset=utf-8",
                   .render = [metrics] { return Render(metrics); }};
  if (access.access_control != nullptr) {
    page.admit = [guard = AccessGuard(access.access_control, metrics, log)](
                     const Credentials& credentials, const std::string& peer) {
      return guard.Admit(credentials, kMetricsName, peer);
    };
  }
  ASSIGN_OR_RETURN(auto server,
                   HttpServer::Start(std::move(listening.sockets), access.tls, std::move(page)));
  const std::string scheme = access.tls == nullptr ? "http" : "https";
  return absl::WrapUnique(new MetricsEndpoint(std::move(server), scheme));
}

MetricsEndpoint::MetricsEndpoint(std::unique_ptr<HttpServer> server, std::string scheme)
    : server_(std::move(server)), scheme_(std::move(scheme)) {}

std::string MetricsEndpoint::url() const {
  return absl::StrCat(scheme_, "://", core::FormatHostPort(server_->address()), kPath);
}

}  // namespace quantd::server
