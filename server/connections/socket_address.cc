#include "server/connections/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace quantd::server {
namespace {

constexpr std::string_view kLocalhost = "localhost";

struct AddressInfoDeleter {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};
using AddressInfoList = std::unique_ptr<addrinfo, AddressInfoDeleter>;

// The operating system's functions take all kinds of addresses as a sockaddr.
template <typename Address>
const sockaddr* AsGeneric(const Address& address) {
  const void* const generic = &address;
  return static_cast<const sockaddr*>(generic);
}

sockaddr_in Ipv4Of(const sockaddr_storage& storage) {
  sockaddr_in address{};
  std::memcpy(&address, &storage, sizeof(address));
  return address;
}

sockaddr_in6 Ipv6Of(const sockaddr_storage& storage) {
  sockaddr_in6 address{};
  std::memcpy(&address, &storage, sizeof(address));
  return address;
}

// 127.0.0.1 and ::1.
std::vector<SocketAddress> LoopbackAddresses() {
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_addr = in6addr_loopback;
  return {SocketAddress(AsGeneric(ipv4), sizeof(ipv4)),
          SocketAddress(AsGeneric(ipv6), sizeof(ipv6))};
}

}  // namespace

SocketAddress::SocketAddress(const sockaddr* address, socklen_t size) : size_(size) {
  assert(size <= sizeof(storage_));
  std::memcpy(&storage_, address, size);
}

SocketAddress SocketAddress::OfUnixSocket(std::string_view path) {
  sockaddr_un address{};
  assert(path.size() < sizeof(address.sun_path));
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return {AsGeneric(address), sizeof(address)};
}

SocketAddress SocketAddress::OfSocket(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  void* const generic = &storage;
  [[maybe_unused]] const int result = getsockname(socket, static_cast<sockaddr*>(generic), &size);
  assert(result == 0);
  return {AsGeneric(storage), size};
}

std::optional<SocketAddress> SocketAddress::OfPeer(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  void* const generic = &storage;
  if (getpeername(socket, static_cast<sockaddr*>(generic), &size) != 0) {
    return std::nullopt;
  }
  const sockaddr_in6 ipv6 = Ipv6Of(storage);
  if (storage.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) {
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = ipv6.sin6_port;
    std::memcpy(&ipv4.sin_addr,
                &ipv6.sin6_addr.s6_addr[sizeof(ipv6.sin6_addr) - sizeof(ipv4.sin_addr)],
                sizeof(ipv4.sin_addr));
    return SocketAddress(AsGeneric(ipv4), sizeof(ipv4));
  }
  return SocketAddress(AsGeneric(storage), size);
}

std::string SocketAddress::host() const {
  std::array<char, NI_MAXHOST> number{};
  [[maybe_unused]] const int error =
      getnameinfo(get(), size_, number.data(), number.size(), nullptr, 0, NI_NUMERICHOST);
  assert(error == 0);
  return number.data();
}

std::uint16_t SocketAddress::port() const {
  return ntohs(family() == AF_INET ? Ipv4Of(storage_).sin_port : Ipv6Of(storage_).sin6_port);
}

void SocketAddress::set_port(std::uint16_t port) {
  if (family() == AF_INET) {
    sockaddr_in address = Ipv4Of(storage_);
    address.sin_port = htons(port);
    std::memcpy(&storage_, &address, sizeof(address));
  } else {
    sockaddr_in6 address = Ipv6Of(storage_);
    address.sin6_port = htons(port);
    std::memcpy(&storage_, &address, sizeof(address));
  }
}

bool SocketAddress::IsLoopback() const {
  constexpr std::uint32_t kLoopbackNetwork = 127;
  if (family() == AF_INET) {
    return ntohl(Ipv4Of(storage_).sin_addr.s_addr) >> 24U == kLoopbackNetwork;
  }
  const sockaddr_in6 address = Ipv6Of(storage_);
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address.sin6_addr);
}

bool SocketAddress::IsAnyIpv6() const {
  if (family() != AF_INET6) {
    return false;
  }
  const sockaddr_in6 address = Ipv6Of(storage_);
  return IN6_IS_ADDR_UNSPECIFIED(&address.sin6_addr);
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  return size_ == other.size_ && std::memcmp(&storage_, &other.storage_, size_) == 0;
}

const sockaddr* SocketAddress::get() const { return AsGeneric(storage_); }

std::string SocketAddress::ToString() const {
  if (family() == AF_UNIX) {
    sockaddr_un address{};
    std::memcpy(&address, &storage_, sizeof(address));
    return absl::StrCat("unix:", address.sun_path);
  }
  return core::FormatHostPort({.host = host(), .port = port()});
}

absl::StatusOr<std::vector<SocketAddress>> ResolveAddresses(const core::HostPort& host_port) {
  std::vector<SocketAddress> addresses;
  if (host_port.host == kLocalhost) {
    addresses = LoopbackAddresses();
  } else {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host_port.host.c_str(), nullptr, &hints, &found);
        error != 0) {
      return absl::NotFoundError(
          absl::StrCat("the host '", host_port.host, "' is unknown: ", gai_strerror(error)));
    }
    const AddressInfoList list(found);
    for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
      SocketAddress address(info->ai_addr, info->ai_addrlen);
      // /etc/hosts may list one twice.
      if (std::ranges::find(addresses, address) == addresses.end()) {
        addresses.push_back(address);
      }
    }
  }
  for (SocketAddress& address : addresses) {
    address.set_port(host_port.port);
  }
  return addresses;
}

}  // namespace quantd::server
