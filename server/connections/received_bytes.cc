#include "server/connections/received_bytes.h"

// Not <netinet/tcp.h>, whose tcp_info ends before this count (glibc 2.36).
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace quantd::server {

std::optional<std::uint64_t> ReceivedBytes(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
    return std::nullopt;
  }
  return info.tcpi_bytes_received;
}

}  // namespace quantd::server
