// Where the lines of a log go.

#ifndef QUANTD_SERVER_TELEMETRY_LOG_SINK_H_
#define QUANTD_SERVER_TELEMETRY_LOG_SINK_H_

#include <cstdint>
#include <string_view>

namespace quantd::server {

class LogSink {
 public:
  LogSink() = default;
  virtual ~LogSink() = default;

  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // Takes a whole line with its line break, or drops and counts it. Never waits for
  // the receiver of the log. Thread-safe.
  virtual void Append(std::string_view line) = 0;

  // The number of lines that were dropped so far. Thread-safe.
  virtual std::uint64_t dropped_lines() const = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_LOG_SINK_H_
