// How much a connection has received.

#ifndef QUANTD_SERVER_CONNECTIONS_RECEIVED_BYTES_H_
#define QUANTD_SERVER_CONNECTIONS_RECEIVED_BYTES_H_

#include <cstdint>
#include <optional>

namespace quantd::server {

// Returns how many bytes a TCP connection has received since it was opened, or nothing for
// other sockets: the kernel does not count what unix sockets receive.
std::optional<std::uint64_t> ReceivedBytes(int socket);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_RECEIVED_BYTES_H_
