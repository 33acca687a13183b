#include "server/telemetry/log.h"

#include <chrono>
#include <optional>

#include "absl/time/clock.h"

namespace quantd::server {

using std::chrono::steady_clock;

Log::Log(LogLevel level, LogFormat format, LogSink& sink)
    : level_(level),
      format_(format),
      sink_(sink),
      summarizer_([this] { SummarizeRepetitions(); }) {}

Log::~Log() {
  {
    const core::MutexLock lock(&mutex_);
    ending_ = true;
  }
  changed_.NotifyAll();
  summarizer_.join();
}

bool Log::Writes(LogLevel level) const { return level >= level_; }

void Log::Write(LogLevel level, std::string_view event, LogFields fields) {
  if (Writes(level)) {
    sink_.Append(LogLine(format_, level, event, fields).At(absl::Now()));
  }
}

void Log::WriteLimited(LogLevel level, std::string_view event, LogFields group, LogFields fields) {
  if (!Writes(level)) {
    return;
  }
  LogLine line(format_, level, event, group);
  std::vector<RepetitionLimit::Suppressed> summaries;
  bool permitted = false;
  bool first_suppressed = false;
  {
    const core::MutexLock lock(&mutex_);
    const auto now = steady_clock::now();
    summaries = limit_.TakeIfOver(now);
    const bool suppressed_before = limit_.summary_time().has_value();
    permitted = limit_.Permit(line.text(), now);
    first_suppressed = !permitted && !suppressed_before;
  }
  WriteSummaries(summaries);
  if (permitted) {
    line.Add(fields);
    sink_.Append(line.At(absl::Now()));
  } else if (first_suppressed) {
    changed_.NotifyAll();
  }
}

void Log::WriteSummaries(const std::vector<RepetitionLimit::Suppressed>& summaries) {
  for (const RepetitionLimit::Suppressed& suppressed : summaries) {
    LogLine line(format_, suppressed.group);
    line.Add({{"suppressed", static_cast<std::int64_t>(suppressed.count)}});
    sink_.Append(line.At(absl::Now()));
  }
}

void Log::SummarizeRepetitions() {
  bool ending = false;
  while (!ending) {
    std::vector<RepetitionLimit::Suppressed> summaries;
    {
      const core::MutexLock lock(&mutex_);
      const std::optional<RepetitionLimit::TimePoint> due = limit_.summary_time();
      if (!ending_ && !due.has_value()) {
        changed_.Wait(&mutex_);
      } else if (!ending_) {
        changed_.WaitUntil(&mutex_, *due);
      }
      ending = ending_;
      summaries = ending ? limit_.Take() : limit_.TakeIfOver(steady_clock::now());
    }
    WriteSummaries(summaries);
  }
}

}  // namespace quantd::server
