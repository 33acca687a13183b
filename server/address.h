// Addresses that a server listens on: HOST:PORT or unix:PATH.

#ifndef QUANTD_SERVER_ADDRESS_H_
#define QUANTD_SERVER_ADDRESS_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/host_port.h"

namespace quantd::server {

// Reads HOST:PORT, with port 0 for a port that the system chooses.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::StatusOr<core::HostPort> ParseNetworkAddress(std::string_view address);

// Returns the path in "unix:PATH", or nullopt if `address` does not start with
// "unix:".
std::optional<std::string_view> UnixSocketPath(std::string_view address);

// Checks that `address` has the form HOST:PORT or unix:PATH.
//
// Errors: kInvalidArgument, with the text and what was expected.
absl::Status CheckListenAddress(std::string_view address);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ADDRESS_H_
