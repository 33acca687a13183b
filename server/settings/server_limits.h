// The limits of a server. GetServerInfo reports them, and they are exported as
// metrics.

#ifndef QUANTD_SERVER_SETTINGS_SERVER_LIMITS_H_
#define QUANTD_SERVER_SETTINGS_SERVER_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace quantd::server {

// The limits within which a client has to stay, and what the server may use.
struct ServerLimits {
  std::uint64_t max_message_bytes = 0;
  std::uint64_t max_in_flight_bytes = 0;
  std::size_t worker_threads = 0;
  // 0 means that it is not known.
  std::uint64_t memory_limit_bytes = 0;
  std::size_t max_connections = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SETTINGS_SERVER_LIMITS_H_
