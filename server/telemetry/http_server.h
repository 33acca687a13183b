// A small HTTP server that no client can block.

#ifndef QUANTD_SERVER_TELEMETRY_HTTP_SERVER_H_
#define QUANTD_SERVER_TELEMETRY_HTTP_SERVER_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/host_port.h"
#include "server/access/server_tls.h"
#include "server/connections/listening_socket.h"
#include "server/telemetry/http_page.h"

namespace quantd::server {

// Serves one page until it is destroyed, on a thread of its own. A connection serves one request
// (see HttpConnection). If there are too many connections, or no descriptors are left, the oldest
// one that has not sent a whole request makes room.
class HttpServer {
 public:
  static constexpr std::size_t kMaxConnections = 256;

  // Serves `page` on `sockets`, which are network sockets, and at least one: over TLS if `tls`,
  // which must outlive this, is not null.
  //
  // Errors: kResourceExhausted if there are not enough file descriptors.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(std::vector<ListeningSocket> sockets,
                                                           const ServerTls* tls, HttpPage page);

  // Cuts off its connections.
  ~HttpServer();

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The address of the first socket, numeric and with the actual port.
  core::HostPort address() const;

 private:
  class Impl;

  explicit HttpServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_HTTP_SERVER_H_
