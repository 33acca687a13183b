// Addresses a server listens on: HOST:PORT, or unix:PATH.

#ifndef QUANTD_SERVER_ADDRESS_H_
#define QUANTD_SERVER_ADDRESS_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/host_port.h"

namespace quantd::server {

// Reads HOST:PORT, with port 0 for a port that the system chooses.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<core::HostPort> ParseNetworkAddress(std::string_view address);

// The path in "unix:PATH", or nothing where `address` is of another kind.
std::optional<std::string_view> UnixSocketPath(std::string_view address);

// Whether a server can be asked to listen on `address`: HOST:PORT or unix:PATH.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::Status CheckListenAddress(std::string_view address);

// The number of the host, as in "127.0.0.1", found with the system's resolver;
// an IPv4 one where there is one. May wait for a name server. "localhost" is the
// loopback even where the resolver does not know it.
//
// Errors: kNotFound, with the resolver's reason.
absl::StatusOr<std::string> ResolveHost(const std::string& host);

// `address` as it can be bound: the same, but for a "localhost" that the system's
// resolver does not know, which becomes the loopback's number.
std::string BindAddress(const std::string& address);

// Whether a process accepts connections on the unix socket at `path`; false for
// a file that a dead one left behind.
bool IsUnixSocketServed(std::string_view path);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ADDRESS_H_
