// The connections that gRPC serves, and whether there may be another one.

#ifndef QUANTD_SERVER_CONNECTIONS_OPEN_CONNECTIONS_H_
#define QUANTD_SERVER_CONNECTIONS_OPEN_CONNECTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/connections/call_flood.h"
#include "server/connections/connection_limits.h"
#include "server/connections/connection_refusal.h"
#include "server/connections/transport.h"

namespace quantd::server {

// Returns whom the connected `socket` counts for: an IPv4 address, the first 64 bits of an
// IPv6 address (which is what one customer gets), or the user at the other end of a unix
// socket. An example of each: "192.0.2.1", "2001:db8::/64" and "uid 1000".
std::string PeerOf(int socket);

// Counts open connections. gRPC closes them, and does not tell. But each socket has a
// cookie, a number that no other socket ever has: a connection is over as soon as its
// descriptor is closed or belongs to a socket with another cookie.
//
// A connection that has no cookie, because the kernel does not support them (Linux before
// 4.12, some sandboxes), is not counted.
//
// For use by one thread.
class OpenConnections {
 public:
  explicit OpenConnections(const ConnectionLimits& limits) : limits_(limits) {}

  // Returns why another connection of `peer` has no room, or nullopt if it has.
  std::optional<ConnectionRefusal> RefusalOf(const std::string& peer) const;

  // Counts a connection that is open now. Returns false if it has no cookie.
  bool Add(int socket, const std::string& peer);

  // Says which number the transport has given to the connection that was added last.
  void NumberLast(Transport::ConnectionNumber number);

  // Whether any has the number kHandshaking.
  bool AnyIsHandshaking() const { return handshaking_ > 0; }

  // Says which numbers the transport has given to those whose handshakes have ended.
  void NumberHandshaken(const Transport::NumbersByAddress& numbers);

  // Forgets those that are closed. Takes one system call for each connection.
  void RemoveClosed();

  // From now on, BreakOffCostliest() counts what those that are open receive from now on.
  // Takes one system call for each connection.
  void RestartReceivedBytes();

  // Lets whoever serves those that are open find that their clients have closed them. What
  // is still to be sent is sent.
  void EndReceiving() const;

  // Breaks off those that are open, whatever is still to be sent on them. Whoever serves
  // them finds them closed.
  void BreakOff() const;

  // Breaks off those that fulfil `condition`, and drops what they have sent and nobody has
  // read. Calls `record` with the peer of each before its client can notice. Each connection
  // is broken off once.
  void BreakOffIf(const std::function<bool(Transport::ConnectionNumber, CallFlood&)>& condition,
                  const std::function<void(const std::string& peer)>& record);

  // Breaks off in the same way those that cost the most memory, until they cost `bytes`
  // together. What a connection costs is a guess: its calls in memory, which `calls_of`
  // returns, and what it has received lately. Unix sockets do not count that: those with
  // calls come after the connections that have received much, one each time. Connections
  // that cost less than kLeastCost are kept.
  void BreakOffCostliest(std::uint64_t bytes,
                         const std::function<std::uint64_t(Transport::ConnectionNumber)>& calls_of,
                         const std::function<void(const std::string& peer)>& record);

  // What gRPC takes for a call that has only begun.
  static constexpr std::uint64_t kCallCost = std::uint64_t{13} << 10;
  // In bytes. Clients that make small calls stay below it.
  static constexpr std::uint64_t kLeastCost = std::uint64_t{64} << 10;

  std::size_t size() const { return connections_.size(); }

 private:
  using CountByPeer = std::unordered_map<std::string, std::size_t>;

  struct Connection {
    int socket;
    std::uint64_t cookie;
    // Elements of the map stay where they are.
    CountByPeer::value_type* peer;
    // kClosed if it is broken off.
    Transport::ConnectionNumber number = Transport::kClosed;
    // Of the client, while the handshake goes on.
    std::string address = {};
    CallFlood flood{std::chrono::steady_clock::now()};
    // Of the last RestartReceivedBytes().
    std::uint64_t received_bytes = 0;
  };

  // Whether it is neither closed nor broken off.
  static bool IsServed(const Connection& connection);
  void SetNumber(Connection& connection, Transport::ConnectionNumber number);
  void BreakOff(Connection& connection, const std::function<void(const std::string& peer)>& record);

  // As shutdown() does, by `how`.
  void ShutDown(int how) const;

  const ConnectionLimits limits_;
  std::vector<Connection> connections_;
  // How many of them have the number kHandshaking.
  std::size_t handshaking_ = 0;
  // Has no zeros.
  CountByPeer count_by_peer_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_OPEN_CONNECTIONS_H_
