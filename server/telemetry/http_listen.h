// Binds the sockets of an HTTP server.

#ifndef QUANTD_SERVER_TELEMETRY_HTTP_LISTEN_H_
#define QUANTD_SERVER_TELEMETRY_HTTP_LISTEN_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/host_port.h"

namespace quantd::server {

// Listens on all addresses of a host that this machine has, IPv4 first, on the same port; port 0
// picks a free one. "localhost" stands for 127.0.0.1 and ::1, even if the resolver does not know
// it.
// "::" takes connections over IPv4, too.
//
// Errors: kNotFound if the host is unknown; kUnavailable, with the address, if it cannot be
// listened on.
absl::StatusOr<std::vector<boost::asio::ip::tcp::acceptor>> HttpListen(
    const core::HostPort& host_port, boost::asio::io_context* context);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_HTTP_LISTEN_H_
