// Structured logging.

#ifndef QUANTD_SERVER_TELEMETRY_LOG_H_
#define QUANTD_SERVER_TELEMETRY_LOG_H_

#include <atomic>
#include <cstdint>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "server/telemetry/log_line.h"
#include "server/telemetry/log_sink.h"
#include "server/telemetry/repetition_limit.h"

namespace quantd::server {

// Turns events into lines. Thread-safe; no method blocks.
class Log {
 public:
  // Writes events of `level` and above to `sink`, which must outlive the log.
  Log(LogLevel level, LogFormat format, LogSink& sink);
  ~Log();

  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Returns whether events of `level` are written. Check this before computing
  // expensive fields.
  bool Writes(LogLevel level) const;

  // Writes events of `level` and above from now on.
  void SetLevel(LogLevel level) { level_ = level; }

  void Write(LogLevel level, std::string_view event, LogFields fields);

  // Writes an event that a client can repeat without end. If more events with the same
  // level, name and fields `group` occur than RepetitionLimit permits, the others are
  // summed up in one line with these fields and their number, `suppressed`. The fields
  // of `group` must have few values.
  void WriteLimited(LogLevel level, std::string_view event, LogFields group, LogFields fields);

  // The number of lines that were lost because nobody took them.
  std::uint64_t dropped_lines() const { return sink_.dropped_lines(); }

 private:
  void WriteSummaries(const std::vector<RepetitionLimit::Suppressed>& summaries);

  // Writes summaries when they are due, until the log ends.
  void SummarizeRepetitions();

  std::atomic<LogLevel> level_;
  const LogFormat format_;
  LogSink& sink_;

  core::Mutex mutex_;
  core::ConditionVariable changed_;
  RepetitionLimit limit_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread summarizer_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_LOG_H_
