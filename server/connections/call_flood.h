// Clients that abort calls as fast as they can.

#ifndef QUANTD_SERVER_CONNECTIONS_CALL_FLOOD_H_
#define QUANTD_SERVER_CONNECTIONS_CALL_FLOOD_H_

#include <chrono>
#include <cstdint>

#include "server/connections/transport.h"

namespace quantd::server {

// Tells whether the client of one connection floods the server with calls that it aborts
// before they have cost it anything (HTTP/2 Rapid Reset, CVE-2023-44487). Not thread-safe.
class CallFlood {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // How many calls a second may be aborted before their message has arrived, in the long
  // run and at once. Clients that lose patience have sent their messages before.
  static constexpr double kAbortsPerSecond = 1000;
  static constexpr double kMaxAbortsAtOnce = 2000;

  // The connection was opened at `now`.
  explicit CallFlood(TimePoint now) : last_look_(now) {}

  // Looks at the calls of the connection at `now`, which is not before that of the last
  // look. Returns whether it has more than `max_in_memory` calls in memory, or has aborted
  // too many.
  bool Look(const Transport::Calls& calls, std::uint64_t max_in_memory, TimePoint now);

 private:
  Transport::Calls last_;
  TimePoint last_look_;
  // What was aborted beyond kAbortsPerSecond.
  double excess_ = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_CALL_FLOOD_H_
