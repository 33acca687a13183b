#include "server/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/file_descriptor.h"
#include "core/base/to_absl.h"

namespace quantd::server {
namespace {

// "localhost" always means the loopback address (RFC 6761, section 6.3), but the
// resolver may not know it without /etc/hosts, as in a bare container.
constexpr std::string_view kLocalhost = "localhost";
constexpr std::string_view kLoopback = "127.0.0.1";

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

struct AddressInfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};
using AddressInfoList = std::unique_ptr<addrinfo, AddressInfoDeleter>;

const addrinfo* PreferIpv4(const addrinfo* first) {
  for (const addrinfo* info = first; info != nullptr; info = info->ai_next) {
    if (info->ai_family == AF_INET) {
      return info;
    }
  }
  return first;
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

absl::StatusOr<std::string> ResolveHost(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    if (host == kLocalhost) {
      return std::string(kLoopback);
    }
    return absl::NotFoundError(
        absl::StrCat("the host '", host, "' is unknown: ", gai_strerror(error)));
  }
  const AddressInfoList list(found);
  const addrinfo* const info = PreferIpv4(list.get());
  std::array<char, NI_MAXHOST> number{};
  if (const int error = getnameinfo(info->ai_addr, info->ai_addrlen, number.data(), number.size(),
                                    nullptr, 0, NI_NUMERICHOST);
      error != 0) {
    return absl::NotFoundError(
        absl::StrCat("the host '", host, "' has no numeric address: ", gai_strerror(error)));
  }
  return std::string(number.data());
}

std::string BindAddress(const std::string& address) {
  std::optional<core::HostPort> host_port = core::ParseHostPort(address);
  if (UnixSocketPath(address).has_value() || !host_port.has_value() ||
      host_port->host != kLocalhost) {
    return address;
  }
  addrinfo* found = nullptr;
  const bool known = getaddrinfo(host_port->host.c_str(), nullptr, nullptr, &found) == 0;
  const AddressInfoList list(found);
  if (known) {
    return address;
  }
  host_port->host = kLoopback;
  return core::FormatHostPort(*host_port);
}

bool IsUnixSocketServed(std::string_view path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) {
    return false;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const core::FileDescriptor socket_descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const void* const generic_address = &address;
  return socket_descriptor.number() >= 0 &&
         connect(socket_descriptor.number(), static_cast<const sockaddr*>(generic_address),
                 sizeof(address)) == 0;
}

}  // namespace quantd::server
