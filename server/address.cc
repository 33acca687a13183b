#include "server/address.h"

#include <sys/un.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/to_absl.h"

namespace quantd::server {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

absl::Status NoAddress(std::string_view address, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", core::ToAbsl(address), "' is not a valid address; ", expected));
}

absl::Status NoHostPort(std::string_view address) {
  return NoAddress(address,
                   "expected HOST:PORT with a port from 0 to 65535, such as localhost:50051 or "
                   "[::1]:50051");
}

}  // namespace

absl::StatusOr<core::HostPort> ParseNetworkAddress(std::string_view address) {
  const std::optional<core::HostPort> host_port = core::ParseHostPort(address);
  if (!host_port.has_value()) {
    return NoHostPort(address);
  }
  return *host_port;
}

std::optional<std::string_view> UnixSocketPath(std::string_view address) {
  if (!address.starts_with(kUnixPrefix)) {
    return std::nullopt;
  }
  return address.substr(kUnixPrefix.size());
}

absl::Status CheckListenAddress(std::string_view address) {
  const std::optional<std::string_view> path = UnixSocketPath(address);
  if (!path.has_value()) {
    return core::ParseHostPort(address).has_value()
               ? absl::OkStatus()
               : NoAddress(address,
                           "expected HOST:PORT, such as localhost:50051 or [::1]:50051, or "
                           "unix:PATH, such as unix:/run/quantd.sock");
  }
  constexpr std::size_t kMaxPathSize = sizeof(sockaddr_un::sun_path) - 1;
  if (path->empty() || path->size() > kMaxPathSize) {
    return NoAddress(address, absl::StrCat("expected unix:PATH with a path of 1 to ", kMaxPathSize,
                                           " bytes, such as unix:/run/quantd.sock"));
  }
  return absl::OkStatus();
}

}  // namespace quantd::server
