// Addresses of sockets, as the operating system takes them.

#ifndef QUANTD_SERVER_CONNECTIONS_SOCKET_ADDRESS_H_
#define QUANTD_SERVER_CONNECTIONS_SOCKET_ADDRESS_H_

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/host_port.h"

namespace quantd::server {

// A numeric network address, or the path of a unix socket.
class SocketAddress {
 public:
  // Copies `size` bytes, at most those of a sockaddr_storage.
  SocketAddress(const sockaddr* address, socklen_t size);

  // `path` has 1 to 107 bytes (CheckListenAddress()).
  static SocketAddress OfUnixSocket(std::string_view path);

  // The own address of a socket. `socket` is a bound socket.
  static SocketAddress OfSocket(int socket);

  // The address at the other end of a connected socket; nothing if it is gone. An address of IPv4
  // is one, even if the socket is one of IPv6.
  static std::optional<SocketAddress> OfPeer(int socket);

  // AF_INET, AF_INET6 or AF_UNIX.
  int family() const { return storage_.ss_family; }

  // The number of a network address, such as "127.0.0.1" or "::1".
  std::string host() const;

  // The port of a network address.
  std::uint16_t port() const;
  void set_port(std::uint16_t port);

  // Whether only this machine has it: 127.0.0.0/8 and ::1.
  bool IsLoopback() const;

  // Whether this is "::", which stands for all addresses of the machine.
  bool IsAnyIpv6() const;

  bool operator==(const SocketAddress& other) const;

  const sockaddr* get() const;
  socklen_t size() const { return size_; }

  // "127.0.0.1:50051", "[::1]:50051" or "unix:PATH".
  std::string ToString() const;

 private:
  sockaddr_storage storage_{};
  socklen_t size_;
};

// Returns all addresses of a host, with its port. "localhost" means 127.0.0.1 and ::1,
// whatever the resolver knows (RFC 6761, section 6.3). May block while a name server
// answers.
//
// Errors: kNotFound, with the resolver's reason.
absl::StatusOr<std::vector<SocketAddress>> ResolveAddresses(const core::HostPort& host_port);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_SOCKET_ADDRESS_H_
