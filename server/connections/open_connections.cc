#include "server/connections/open_connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/connections/received_bytes.h"
#include "server/connections/socket_address.h"

namespace quantd::server {
namespace {

// The first half of an address of IPv6.
std::string NetworkOf(const SocketAddress& peer) {
  constexpr std::size_t kNetworkBytes = 8;
  sockaddr_in6 ipv6{};
  std::memcpy(&ipv6, peer.get(), sizeof(ipv6));
  std::memset(&ipv6.sin6_addr.s6_addr[kNetworkBytes], 0, sizeof(ipv6.sin6_addr) - kNetworkBytes);
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size()) == nullptr
             ? "unknown"
             : absl::StrCat(text.data(), "/64");
}

std::string PeerOfUnixSocket(int socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0
             ? absl::StrCat("uid ", credentials.uid)
             : "unknown";
}

// The address at the other end of a connected network socket, as Transport::NumbersByAddress has
// it; empty if it is gone.
std::string AddressOf(int socket) {
  const std::optional<SocketAddress> address = SocketAddress::OfPeer(socket);
  return address.has_value() ? address->ToString() : "";
}

// Ends a connection without what it has received: otherwise whoever serves it would still
// have to read megabytes. Fails if the client has closed it already.
void Abort(int socket) {
  // TCP resets the connection and empties its buffers.
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  if (connect(socket, &nowhere, sizeof(nowhere)) == 0) {
    return;
  }
  // A unix socket takes nothing after shutdown(), so that there is an end to what it has.
  static_cast<void>(shutdown(socket, SHUT_RDWR));
  std::array<char, std::size_t{64} << 10> dropped;
  while (recv(socket, dropped.data(), dropped.size(), MSG_DONTWAIT) > 0) {
  }
}

// Returns 0 if `socket` is not an open socket, or has no cookie.
std::uint64_t CookieOf(int socket) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

}  // namespace

std::string PeerOf(int socket) {
  const std::optional<SocketAddress> address = SocketAddress::OfPeer(socket);
  if (!address.has_value()) {
    return "unknown";  // It has closed the connection again.
  }
  switch (address->family()) {
    case AF_INET:
      return address->host();
    case AF_INET6:
      return NetworkOf(*address);
    default:
      return PeerOfUnixSocket(socket);
  }
}

std::optional<ConnectionRefusal> OpenConnections::RefusalOf(const std::string& peer) const {
  if (connections_.size() >= limits_.connections) {
    return ConnectionRefusal::kTotalLimit;
  }
  const auto count = count_by_peer_.find(peer);
  if (count != count_by_peer_.end() && count->second >= limits_.connections_per_peer) {
    return ConnectionRefusal::kPeerLimit;
  }
  return std::nullopt;
}

bool OpenConnections::Add(int socket, const std::string& peer) {
  const std::uint64_t cookie = CookieOf(socket);
  if (cookie == 0) {
    return false;
  }
  CountByPeer::value_type& count = *count_by_peer_.try_emplace(peer, 0).first;
  ++count.second;
  connections_.push_back({.socket = socket, .cookie = cookie, .peer = &count});
  return true;
}

void OpenConnections::NumberLast(Transport::ConnectionNumber number) {
  Connection& connection = connections_.back();
  SetNumber(connection, number);
  if (number == Transport::kHandshaking) {
    connection.address = AddressOf(connection.socket);
  }
}

void OpenConnections::SetNumber(Connection& connection, Transport::ConnectionNumber number) {
  handshaking_ -= connection.number == Transport::kHandshaking ? 1 : 0;
  connection.number = number;
  handshaking_ += connection.number == Transport::kHandshaking ? 1 : 0;
}

void OpenConnections::NumberHandshaken(const Transport::NumbersByAddress& numbers) {
  if (numbers.empty()) {
    return;
  }
  for (Connection& connection : connections_) {
    if (connection.number != Transport::kHandshaking) {
      continue;
    }
    const auto number = numbers.find(connection.address);
    // The address of a closed connection may be that of another one by now.
    if (number != numbers.end() && IsServed(connection)) {
      SetNumber(connection, number->second);
    }
  }
}

void OpenConnections::EndReceiving() const { ShutDown(SHUT_RD); }

void OpenConnections::BreakOff() const { ShutDown(SHUT_RDWR); }

void OpenConnections::ShutDown(int how) const {
  for (const Connection& connection : connections_) {
    if (CookieOf(connection.socket) == connection.cookie) {
      // It fails if the client has closed the connection already.
      static_cast<void>(shutdown(connection.socket, how));
    }
  }
}

bool OpenConnections::IsServed(const Connection& connection) {
  return connection.number != Transport::kClosed &&
         CookieOf(connection.socket) == connection.cookie;
}

void OpenConnections::BreakOff(Connection& connection,
                               const std::function<void(const std::string& peer)>& record) {
  record(connection.peer->first);
  Abort(connection.socket);
  SetNumber(connection, Transport::kClosed);
}

void OpenConnections::BreakOffIf(
    const std::function<bool(Transport::ConnectionNumber, CallFlood&)>& condition,
    const std::function<void(const std::string& peer)>& record) {
  for (Connection& connection : connections_) {
    if (IsServed(connection) && condition(connection.number, connection.flood)) {
      BreakOff(connection, record);
    }
  }
}

void OpenConnections::BreakOffCostliest(
    std::uint64_t bytes, const std::function<std::uint64_t(Transport::ConnectionNumber)>& calls_of,
    const std::function<void(const std::string& peer)>& record) {
  struct Candidate {
    std::uint64_t cost;
    bool is_known;
    Connection* connection;
  };
  std::vector<Candidate> candidates;
  for (Connection& connection : connections_) {
    if (!IsServed(connection)) {
      continue;
    }
    const std::uint64_t calls = calls_of(connection.number);
    const std::optional<std::uint64_t> received = ReceivedBytes(connection.socket);
    const std::uint64_t recently = received.has_value() ? *received - connection.received_bytes
                                   : calls > 0          ? kLeastCost
                                                        : 0;
    candidates.push_back({.cost = calls * kCallCost + recently,
                          .is_known = received.has_value(),
                          .connection = &connection});
  }
  std::ranges::sort(candidates, std::greater<>(), &Candidate::cost);
  std::uint64_t sum = 0;
  for (const Candidate& candidate : candidates) {
    if (sum >= bytes || candidate.cost < kLeastCost) {
      return;
    }
    BreakOff(*candidate.connection, record);
    // It may have been all.
    sum += candidate.is_known ? candidate.cost : bytes;
  }
}

void OpenConnections::RestartReceivedBytes() {
  for (Connection& connection : connections_) {
    connection.received_bytes = ReceivedBytes(connection.socket).value_or(0);
  }
}

void OpenConnections::RemoveClosed() {
  std::erase_if(connections_, [&](Connection& connection) {
    if (CookieOf(connection.socket) == connection.cookie) {
      return false;
    }
    SetNumber(connection, Transport::kClosed);
    if (--connection.peer->second == 0) {
      count_by_peer_.erase(count_by_peer_.find(connection.peer->first));
    }
    return true;
  });
}

}  // namespace quantd::server
