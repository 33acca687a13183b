// Keeps the lines of a log for a test to look at.

#ifndef QUANTD_TESTS_SERVER_LOG_TEXT_H_
#define QUANTD_TESTS_SERVER_LOG_TEXT_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "server/telemetry/log_sink.h"

namespace quantd::server {

class LogText final : public LogSink {
 public:
  void Append(std::string_view line) override {
    const core::MutexLock lock(&mutex_);
    text_ += line;
  }

  std::uint64_t dropped_lines() const override { return dropped_lines_; }

  // Counts `lines` as dropped.
  void Drop(std::uint64_t lines) { dropped_lines_ += lines; }

  // The lines so far.
  std::string str() const {
    const core::MutexLock lock(&mutex_);
    return text_;
  }

 private:
  std::atomic<std::uint64_t> dropped_lines_ = 0;
  mutable core::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_LOG_TEXT_H_
