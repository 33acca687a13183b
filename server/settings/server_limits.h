// What a server takes on: told by GetServerInfo, and shown beside the metrics.

#ifndef QUANTD_SERVER_SETTINGS_SERVER_LIMITS_H_
#define QUANTD_SERVER_SETTINGS_SERVER_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace quantd::server {

// What a client may expect of this server.
struct ServerLimits {
  std::uint64_t max_message_bytes = 0;
  std::uint64_t max_in_flight_bytes = 0;
  std::size_t worker_threads = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_SERVER_LIMITS_H_
