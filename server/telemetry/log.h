// Structured logging.

#ifndef QUANTD_SERVER_TELEMETRY_LOG_H_
#define QUANTD_SERVER_TELEMETRY_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <variant>

namespace spdlog {
class logger;
}  // namespace spdlog

namespace quantd::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

enum class LogFormat {
  // time=2023-01-31T12:00:00.000Z level=info event="call failed" code=OK …
  kText,
  // {"time":"2023-01-31T12:00:00.000Z","level":"info","event":"call failed",…}
  kJson,
};

// A named value in a log line.
struct LogField {
  std::string_view name;
  std::variant<std::string, std::int64_t, double> value;
};

// Writes one line per event, with the time in UTC. Text is escaped, so that a line
// break or a quote in a client's input cannot forge a line. Thread-safe.
class Log {
 public:
  // Writes events of `level` and above to `out`, which must outlive the log.
  Log(LogLevel level, LogFormat format, std::ostream& out);
  ~Log();

  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Returns whether events of `level` are written. Check this before computing
  // expensive fields.
  bool Writes(LogLevel level) const;

  void Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

 private:
  const LogFormat format_;
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_LOG_H_
