#include "server/connections/listening_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/host_port.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "server/address.h"
#include "server/connections/socket_address.h"

namespace quantd::server {
namespace {

// How often to look for a port that is free at all addresses of a host.
constexpr int kPortAttempts = 16;

// After this time, TCP gives up a connection whose peer acknowledges nothing. It is what
// gRPC sets on sockets of its own.
constexpr std::chrono::milliseconds kUnacknowledgedTimeout{20'000};

// An address from the command line.
struct Requested {
  // As it was given,
  std::string text;
  // and by which flag.
  absl::string_view flag;
  // Not for unix sockets.
  core::HostPort host_port;
  std::vector<SocketAddress> addresses;
};

absl::Status CannotListen(std::string_view address, std::string_view cause) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", core::ToAbsl(address), ": ", core::ToAbsl(cause)));
}

// Says what to do about an error of socket(), bind() or listen().
std::string NetworkFix(int error, absl::string_view flag) {
  switch (error) {
    case EADDRINUSE:
      return absl::StrCat("expected a free port: choose another one with ", flag,
                          ", stop the process that listens there (ss -ltnp lists it), or give each "
                          "address once");
    case EACCES:
      return absl::StrCat(
          "expected the permission to use this port: choose a port from 1024 on with ", flag,
          ", or grant the capability CAP_NET_BIND_SERVICE");
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return absl::StrCat(
          "expected an address of this machine (ip address lists them): choose one with ", flag,
          ", such as 0.0.0.0 for all of IPv4");
    case EMFILE:
    case ENFILE:
      return "expected a free file descriptor: raise the limit (ulimit -n, LimitNOFILE)";
    default:
      return absl::StrCat("expected an address that can be listened on: choose another one with ",
                          flag);
  }
}

// `address` is the numeric address at fault, which says which half of a host is taken.
absl::Status CannotListen(const Requested& requested, const SocketAddress& address, int error) {
  const std::string number = address.ToString();
  return CannotListen(requested.text,
                      absl::StrCat(number == requested.text ? "" : absl::StrCat(number, ": "),
                                   std::generic_category().message(error), "; ",
                                   NetworkFix(error, requested.flag)));
}

// Whether the machine does not have the address at all.
bool IsMissing(int error) { return error == EAFNOSUPPORT || error == EADDRNOTAVAIL; }

bool SetOption(const core::FileDescriptor& socket, int level, int option, int value) {
  return setsockopt(socket.number(), level, option, &value, sizeof(value)) == 0;
}

// Makes a socket that listens on a network address. If there is none, `*error` is errno.
core::FileDescriptor ListenOnNetwork(const SocketAddress& address, bool ipv6_only, int* error) {
  core::FileDescriptor socket(
      ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Connections inherit these options. SO_REUSEADDR lets a server start again while
  // connections of its predecessor are winding down. SO_REUSEPORT would let two servers
  // have the same port, and is off.
  const bool listens =
      socket.number() >= 0 && SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1) &&
      SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1) &&
      SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT,
                static_cast<int>(kUnacknowledgedTimeout.count())) &&
      (!address.IsAnyIpv6() || SetOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, ipv6_only ? 1 : 0)) &&
      bind(socket.number(), address.get(), address.size()) == 0 &&
      listen(socket.number(), SOMAXCONN) == 0;
  *error = listens ? 0 : errno;
  return listens ? std::move(socket) : core::FileDescriptor(-1);
}

// What came of listening on all addresses of a host with one port.
struct HostAttempt {
  std::vector<ListeningSocket> sockets;
  std::uint16_t port = 0;
  // OK even if nothing is listened on, because the machine has none of the addresses.
  absl::Status status;
  // Why an address was left out, as errno; 0 if none was.
  int missing = 0;
  // For port 0: whether the port that was free at one address is taken at another.
  bool port_is_taken = false;
};

HostAttempt TryToListen(const Requested& requested, bool ipv6_only) {
  HostAttempt attempt;
  attempt.port = requested.host_port.port;
  for (SocketAddress address : requested.addresses) {
    address.set_port(attempt.port);
    int error = 0;
    core::FileDescriptor socket = ListenOnNetwork(address, ipv6_only, &error);
    if (error == 0) {
      attempt.port = SocketAddress::OfSocket(socket.number()).port();
      attempt.sockets.push_back({.descriptor = std::move(socket), .file = std::nullopt});
    } else if (IsMissing(error)) {
      attempt.missing = error;
    } else {
      attempt.status = CannotListen(requested, address, error);
      attempt.port_is_taken = error == EADDRINUSE && requested.host_port.port == 0;
      return attempt;
    }
  }
  return attempt;
}

absl::StatusOr<Requested> Resolve(const std::string& text, std::string_view flag) {
  Requested requested{.text = text, .flag = core::ToAbsl(flag), .host_port = {}, .addresses = {}};
  if (UnixSocketPath(text).has_value()) {
    return requested;
  }
  ASSIGN_OR_RETURN(requested.host_port, ParseNetworkAddress(text));
  absl::StatusOr<std::vector<SocketAddress>> addresses = ResolveAddresses(requested.host_port);
  if (!addresses.ok()) {
    return CannotListen(text, absl::StrCat(addresses.status().message(),
                                           "; expected a host that this machine knows: correct "
                                           "the name in ",
                                           core::ToAbsl(flag), ", or use a numeric address"));
  }
  requested.addresses = *std::move(addresses);
  return requested;
}

// Whether [::] would collide with one of the others if it stood for IPv4 as well.
bool SharesItsPortWithIpv4(const Requested& requested, std::span<const Requested> all) {
  return std::ranges::any_of(all, [&](const Requested& other) {
    return other.host_port.port == requested.host_port.port && other.host_port.port != 0 &&
           std::ranges::any_of(other.addresses, [](const SocketAddress& address) {
             return address.family() == AF_INET;
           });
  });
}

absl::Status ListenOnHost(Requested requested, bool ipv6_only, ListeningSockets& result) {
  HostAttempt attempt = TryToListen(requested, ipv6_only);
  for (int i = 1; i < kPortAttempts && attempt.port_is_taken; ++i) {
    attempt = TryToListen(requested, ipv6_only);
  }
  if (attempt.status.ok() && attempt.sockets.empty() && !ipv6_only &&
      requested.addresses.front().IsAnyIpv6()) {
    sockaddr_in any_ipv4{};
    any_ipv4.sin_family = AF_INET;
    const void* const generic = &any_ipv4;
    requested.addresses = {SocketAddress(static_cast<const sockaddr*>(generic), sizeof(any_ipv4))};
    attempt = TryToListen(requested, ipv6_only);
  }
  RETURN_IF_ERROR(attempt.status);
  if (attempt.sockets.empty()) {
    return CannotListen(requested, requested.addresses.front(), attempt.missing);
  }
  for (const ListeningSocket& socket : attempt.sockets) {
    const SocketAddress address = SocketAddress::OfSocket(socket.descriptor.number());
    if (!address.IsLoopback()) {
      result.public_addresses.push_back(address.ToString());
    }
  }
  std::ranges::move(attempt.sockets, std::back_inserter(result.sockets));
  result.addresses.push_back(
      core::FormatHostPort({.host = requested.host_port.host, .port = attempt.port}));
  return absl::OkStatus();
}

absl::Status ListenOnUnixSocket(const Requested& requested, std::string_view path,
                                std::optional<mode_t> mode, ListeningSockets& result) {
  core::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.number() < 0) {
    const int error = errno;
    return CannotListen(requested.text, absl::StrCat(std::generic_category().message(error), "; ",
                                                     NetworkFix(error, requested.flag)));
  }
  absl::StatusOr<UnixSocketFile> file = UnixSocketFile::Listen(path, mode, socket);
  if (!file.ok()) {
    return CannotListen(requested.text, std::string(file.status().message()));
  }
  result.sockets.push_back({.descriptor = std::move(socket), .file = *std::move(file)});
  result.addresses.push_back(requested.text);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListeningSockets> Listen(std::span<const std::string> addresses,
                                        std::string_view flag,
                                        std::optional<mode_t> unix_socket_mode) {
  std::vector<Requested> all;
  for (const std::string& address : addresses) {
    ASSIGN_OR_RETURN(Requested requested, Resolve(address, flag));
    all.push_back(std::move(requested));
  }
  ListeningSockets result;
  for (const Requested& requested : all) {
    if (const auto path = UnixSocketPath(requested.text); path.has_value()) {
      RETURN_IF_ERROR(ListenOnUnixSocket(requested, *path, unix_socket_mode, result));
    } else {
      RETURN_IF_ERROR(ListenOnHost(requested, SharesItsPortWithIpv4(requested, all), result));
    }
  }
  return result;
}

}  // namespace quantd::server
