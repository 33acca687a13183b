// Writes the log to a file, a pipe, a socket or a terminal without making anybody wait.

#ifndef QUANTD_SERVER_TELEMETRY_LOG_FILE_H_
#define QUANTD_SERVER_TELEMETRY_LOG_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/base/file_descriptor.h"
#include "server/telemetry/log_line.h"
#include "server/telemetry/log_sink.h"

namespace quantd::server {

// Opens the file at `path` for appending to it, and creates it if it does not exist. An empty path
// stands for standard error.
//
// Errors: that of the operating system, with the path.
absl::StatusOr<core::FileDescriptor> OpenLog(const std::string& path);

// A thread writes the lines; others only append to its queue. While the file takes no lines, as a
// pipe that nobody reads or a full disk does, the queue fills, and lines that do not fit are
// dropped and counted. When the file takes lines again, those of the queue are written whole and in
// order, followed by a line that says how many are missing.
//
// The process has to ignore SIGPIPE and SIGXFSZ.
class LogFile final : public LogSink {
 public:
  // The most bytes that wait to be written.
  static constexpr std::size_t kMaxQueuedBytes = std::size_t{1} << 20;

  // Starts writing to `file`. `format` is that of the line about missing lines.
  //
  // Errors: that of the operating system, if it has no descriptor left.
  static absl::StatusOr<std::unique_ptr<LogFile>> Start(core::FileDescriptor file,
                                                        LogFormat format);

  // Waits up to a second for the lines in the queue to be written.
  ~LogFile() override;

  void Append(std::string_view line) override;
  std::uint64_t dropped_lines() const override;

  // Writes to `file` from now on, beginning with the first line that is not written yet. Closes the
  // previous file.
  void Replace(core::FileDescriptor file);

 private:
  class Writer;

  explicit LogFile(std::shared_ptr<Writer> writer);

  // Shared with its thread: a write that does not return keeps the thread, not the caller.
  std::shared_ptr<Writer> writer_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_LOG_FILE_H_
