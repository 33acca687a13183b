// What a line of the log looks like.

#ifndef QUANTD_SERVER_TELEMETRY_LOG_LINE_H_
#define QUANTD_SERVER_TELEMETRY_LOG_LINE_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/time.h"

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

using LogFields = std::initializer_list<LogField>;

// One line: an event and its fields. Text is escaped, so that a line break or a quote in a client's
// input cannot forge a line.
class LogLine {
 public:
  LogLine(LogFormat format, LogLevel level, std::string_view event, LogFields fields);

  // Continues the line that text() of a line with the same format returned.
  LogLine(LogFormat format, std::string text) : format_(format), text_(std::move(text)) {}

  void Add(LogFields fields);

  // What the line says, without its time. Equal lines have equal texts.
  const std::string& text() const { return text_; }

  // Returns the whole line with its time, in UTC, and its line break.
  std::string At(absl::Time time) const;

 private:
  LogFormat format_;
  std::string text_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_LOG_LINE_H_
