// Log lines about connections that are not served.

#ifndef QUANTD_SERVER_CONNECTIONS_REFUSAL_LOG_H_
#define QUANTD_SERVER_CONNECTIONS_REFUSAL_LOG_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "server/connections/connection_refusal.h"
#include "server/telemetry/log.h"

namespace quantd::server {

// Writes at most one line for each reason in kRefusalLogInterval, however many connections
// are refused. For use by one thread.
class RefusalLog {
 public:
  // `log` must outlive this object.
  explicit RefusalLog(Log* log) : log_(log) {}

  // Reports that a connection of `peer` was refused at `now`.
  void Report(ConnectionRefusal refusal, const std::string& peer,
              std::chrono::steady_clock::time_point now);

 private:
  struct Reported {
    std::optional<std::chrono::steady_clock::time_point> last;
    std::int64_t refused_since = 0;
  };

  Log* const log_;
  // Indexed by ConnectionRefusal.
  std::array<Reported, kConnectionRefusalNames.size()> reported_;
};

inline constexpr std::chrono::seconds kRefusalLogInterval{10};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_REFUSAL_LOG_H_
