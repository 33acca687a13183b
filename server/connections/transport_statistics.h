// What gRPC counts: channelz
// (https://github.com/grpc/proposal/blob/master/A14-channelz.md).

#ifndef QUANTD_SERVER_CONNECTIONS_TRANSPORT_STATISTICS_H_
#define QUANTD_SERVER_CONNECTIONS_TRANSPORT_STATISTICS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quantd::server {

// Reads the statistics of a gRPC server. Thread-safe. Takes microseconds per connection.
class TransportStatistics {
 public:
  // Those of the server of this process that was started last.
  static TransportStatistics OfLastServer();

  // Those of no server: everything is 0.
  TransportStatistics() = default;

  // The numbers of the open connections that are greater than `after`, ascending. A newer
  // connection has a greater number; all are positive.
  std::vector<std::int64_t> ConnectionsAfter(std::int64_t after) const;

  struct Connection {
    // The HTTP/2 streams that gRPC has in memory: calls that are open, and those that have
    // ended and are not forgotten.
    std::uint64_t streams_in_memory = 0;
    // How many streams have ended without a status from the server so far,
    std::uint64_t streams_failed = 0;
    // and how many messages have arrived.
    std::uint64_t messages_received = 0;
  };

  // Returns zeros for a connection that is closed.
  static Connection OfConnection(std::int64_t number);

  // Returns the client's address, "127.0.0.1:41234" or "[::1]:41234", or nothing if it has none, as
  // with unix sockets, or if the connection is closed.
  static std::optional<std::string> ClientOf(std::int64_t number);

  // How many calls have failed so far, whatever their method.
  std::uint64_t failed_calls() const;

 private:
  explicit TransportStatistics(std::int64_t server_id) : server_id_(server_id) {}

  std::int64_t server_id_ = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_TRANSPORT_STATISTICS_H_
