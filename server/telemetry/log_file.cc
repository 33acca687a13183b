#include "server/telemetry/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/base/mutex.h"

namespace quantd::server {
namespace {

using std::chrono::steady_clock;

// How long to wait after an error, such as a full disk, before the next attempt.
constexpr std::chrono::milliseconds kWriteRetryInterval{200};

// How long what is queued may take once the log is about to end.
constexpr std::chrono::milliseconds kEndTimeout{1000};

// How much of `text` to write at once: whole lines, as many as a pipe takes without waiting once it
// is writable at all. Several processes may write to the same pipe, so this keeps their lines
// apart.
std::string_view NextPart(std::string_view text) {
  if (text.size() <= PIPE_BUF) {
    return text;
  }
  const std::size_t last_break = text.rfind('\n', PIPE_BUF - 1);
  return text.substr(0, last_break == std::string_view::npos ? PIPE_BUF : last_break + 1);
}

// The milliseconds until `deadline` as poll() expects them; -1 if there is no deadline.
int PollTimeout(std::optional<steady_clock::time_point> deadline) {
  if (!deadline.has_value()) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - steady_clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

}  // namespace

absl::StatusOr<core::FileDescriptor> OpenLog(const std::string& path) {
  if (!path.empty()) {
    absl::StatusOr<core::FileDescriptor> file = core::FileDescriptor::OpenToAppend(path);
    return file.ok()
               ? std::move(file)
               : absl::Status(file.status().code(),
                              absl::StrCat("the log file ", path, ": ", file.status().message(),
                                           "; expected a file that this process may write, "
                                           "in a folder that exists: choose another one with "
                                           "--log-file"));
  }
  const int number = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  return number < 0 ? absl::StatusOr<core::FileDescriptor>(
                          absl::ErrnoToStatus(errno, "cannot write the log to standard error"))
                    : core::FileDescriptor(number);
}

class LogFile::Writer {
 public:
  Writer(core::FileDescriptor file, core::FileDescriptor wake_up, LogFormat format)
      : format_(format), wake_up_(std::move(wake_up)), file_(std::move(file)) {}

  void Append(std::string_view line) {
    {
      const core::MutexLock lock(&mutex_);
      if (queue_.size() + line.size() > kMaxQueuedBytes) {
        ++missing_;
        ++dropped_;
        return;
      }
      queue_ += line;
      if (queue_.size() > line.size()) {
        return;  // The thread already knows that the queue is not empty.
      }
    }
    WakeUp();
  }

  std::uint64_t dropped() const {
    const core::MutexLock lock(&mutex_);
    return dropped_;
  }

  void Replace(core::FileDescriptor file) {
    {
      const core::MutexLock lock(&mutex_);
      replacement_ = std::move(file);
    }
    WakeUp();
  }

  // Asks the thread to end, and waits until it has, or until it is overdue.
  void End() {
    const auto deadline = steady_clock::now() + kEndTimeout;
    {
      const core::MutexLock lock(&mutex_);
      deadline_ = deadline;
    }
    WakeUp();
    const core::MutexLock lock(&mutex_);
    while (!ended_ && end_.WaitUntil(&mutex_, deadline)) {
    }
  }

  // What the thread does.
  void Run() {
    while (TakeQueue() && WriteBatch()) {
    }
    const core::MutexLock lock(&mutex_);
    ended_ = true;
    end_.NotifyAll();
  }

 private:
  void WakeUp() const {
    // Fails only if the counter is full, and then the thread wakes up anyway.
    eventfd_write(wake_up_.number(), 1);
  }

  // Waits until `file` (if it is not negative) takes bytes, the thread is woken up, or `deadline`.
  void WaitFor(int file, std::optional<steady_clock::time_point> deadline) const {
    std::array<pollfd, 2> events = {{{.fd = wake_up_.number(), .events = POLLIN, .revents = 0},
                                     {.fd = file, .events = POLLOUT, .revents = 0}}};
    poll(events.data(), events.size(), PollTimeout(deadline));
    if (events[0].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(wake_up_.number(), &count);
    }
  }

  std::optional<steady_clock::time_point> deadline() const {
    const core::MutexLock lock(&mutex_);
    return deadline_;
  }

  // Waits for lines and takes them. Returns false if there are none and the log ends.
  bool TakeQueue() {
    batch_.clear();
    written_ = 0;
    while (true) {
      TakeReplacement();
      std::uint64_t missing = 0;
      bool ends = false;
      {
        const core::MutexLock lock(&mutex_);
        std::swap(batch_, queue_);
        missing = std::exchange(missing_, 0);
        ends = deadline_.has_value();
      }
      if (missing > 0) {
        batch_ += LogLine(format_, LogLevel::kWarning, "log lines dropped",
                          {{"count", static_cast<std::int64_t>(missing)}})
                      .At(absl::Now());
      }
      if (!batch_.empty() || ends) {
        return !batch_.empty();
      }
      WaitFor(-1, std::nullopt);
    }
  }

  // Writes what was taken. Returns false if the log ended before that.
  bool WriteBatch() {
    while (written_ < batch_.size()) {
      TakeReplacement();
      const auto ends_at = deadline();
      if (ends_at.has_value() && steady_clock::now() >= *ends_at) {
        return false;
      }
      pollfd event = {.fd = file_.number(), .events = POLLOUT, .revents = 0};
      if (poll(&event, 1, 0) <= 0) {
        WaitFor(file_.number(), ends_at);
      } else if (!WritePart()) {
        if (ends_at.has_value()) {
          return false;
        }
        WaitFor(-1, steady_clock::now() + kWriteRetryInterval);
      }
    }
    return true;
  }

  bool WritePart() {
    const std::string_view part = NextPart(std::string_view(batch_).substr(written_));
    const ssize_t count = ::write(file_.number(), part.data(), part.size());
    written_ += count > 0 ? static_cast<std::size_t>(count) : 0;
    return count > 0 || errno == EINTR;
  }

  void TakeReplacement() {
    const core::MutexLock lock(&mutex_);
    if (replacement_.has_value()) {
      file_ = std::move(*replacement_);
      replacement_.reset();
      // A line of which the old file has a part is written whole to the new one.
      written_ = batch_.substr(0, written_).rfind('\n') + 1;
    }
  }

  const LogFormat format_;
  const core::FileDescriptor wake_up_;

  mutable core::Mutex mutex_;
  core::ConditionVariable end_;
  std::string queue_ ABSL_GUARDED_BY(mutex_);
  // The lines that were dropped since the queue was taken, and in all.
  std::uint64_t missing_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<core::FileDescriptor> replacement_ ABSL_GUARDED_BY(mutex_);
  // Set once the log ends.
  std::optional<steady_clock::time_point> deadline_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;

  // Only for the thread: where it writes, what, and how much of that it has written.
  core::FileDescriptor file_;
  std::string batch_;
  std::size_t written_ = 0;
};

absl::StatusOr<std::unique_ptr<LogFile>> LogFile::Start(core::FileDescriptor file,
                                                        LogFormat format) {
  core::FileDescriptor wake_up(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wake_up.number() < 0) {
    return absl::ErrnoToStatus(errno, "cannot start the log");
  }
  auto writer = std::make_shared<Writer>(std::move(file), std::move(wake_up), format);
  std::thread([writer] { writer->Run(); }).detach();
  return absl::WrapUnique(new LogFile(std::move(writer)));
}

LogFile::LogFile(std::shared_ptr<Writer> writer) : writer_(std::move(writer)) {}

LogFile::~LogFile() { writer_->End(); }

void LogFile::Append(std::string_view line) { writer_->Append(line); }

std::uint64_t LogFile::dropped_lines() const { return writer_->dropped(); }

void LogFile::Replace(core::FileDescriptor file) { writer_->Replace(std::move(file)); }

}  // namespace quantd::server
