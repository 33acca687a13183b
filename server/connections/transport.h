// Whoever serves the connections that were accepted.

#ifndef QUANTD_SERVER_CONNECTIONS_TRANSPORT_H_
#define QUANTD_SERVER_CONNECTIONS_TRANSPORT_H_

#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/base/file_descriptor.h"

namespace quantd::server {

// Serves connections, and says what their calls cost. Used by one thread.
class Transport {
 public:
  // Tells connections apart: positive, except for those of which no number is known.
  using ConnectionNumber = std::int64_t;
  static constexpr ConnectionNumber kClosed = 0;
  // The connection has calls only when its TLS handshake is done, and gets its number then.
  static constexpr ConnectionNumber kHandshaking = -1;

  virtual ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Takes over a connection: a socket that does not block. Returns its number, or kHandshaking, or
  // kClosed if it is closed already.
  virtual ConnectionNumber Serve(core::FileDescriptor connection) = 0;

  // The numbers of connections by the addresses of their clients, "127.0.0.1:41234".
  using NumbersByAddress = std::unordered_map<std::string, ConnectionNumber>;

  // Returns the numbers of the connections whose handshakes have ended since the last call.
  virtual NumbersByAddress TakeHandshaken() = 0;

  // How many bytes more the process may allocate: negative if it has allocated too many.
  virtual std::int64_t spare_bytes() const = 0;

  // How many calls have failed so far, on all connections.
  virtual std::uint64_t failed_calls() const = 0;

  // The calls of one connection.
  struct Calls {
    // How many are in memory, including those that its client has aborted.
    std::uint64_t in_memory = 0;
    // How many have ended without a status from the server so far,
    std::uint64_t failed = 0;
    // and how many messages have arrived.
    std::uint64_t messages = 0;
  };

  // Returns zeros if the connection is closed or has no number yet.
  virtual Calls CallsOf(ConnectionNumber connection) const = 0;

 protected:
  Transport() = default;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_TRANSPORT_H_
