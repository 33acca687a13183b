// Files that may change while the server runs.

#ifndef QUANTD_SERVER_ACCESS_RELOADED_FILES_H_
#define QUANTD_SERVER_ACCESS_RELOADED_FILES_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "server/access/named_text.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// Reads files and has somebody use what they contain, again whenever that has changed: a thread
// looks every second, by reading them whole, so that it does not matter how they are replaced. What
// cannot be used is logged and counted, and what was used before stays in use.
class ReloadedFiles {
 public:
  // Larger files are refused.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  static constexpr std::chrono::milliseconds kInterval{1000};

  // Uses what the files contain, which are in the order in which they were added. A path that is
  // empty stands for no file and has an empty text. Called by one thread at a time.
  using Use = std::function<absl::Status(const std::vector<NamedText>& files)>;

  // `metrics` and `log` must outlive this.
  ReloadedFiles(Metrics* metrics, Log* log) : metrics_(metrics), log_(log) {}
  ~ReloadedFiles();

  ReloadedFiles(const ReloadedFiles&) = delete;
  ReloadedFiles& operator=(const ReloadedFiles&) = delete;

  // Reads files that belong together, and uses them. `subject` is what they are, for the log, such
  // as "tokens". To be called before Start().
  //
  // Errors: kInvalidArgument if a file cannot be read; those of `use`.
  absl::Status Add(std::string subject, std::vector<std::string> paths, Use use);

  // Starts to look for changes, if there are any files.
  void Start();

  // Looks for changes now. Thread-safe.
  void Reload();

 private:
  struct Group {
    std::string subject;
    std::vector<std::string> paths;
    Use use;
    // What was used last, or could not be.
    std::vector<NamedText> files;
    // Why the files could not be read at the last look; empty if they could.
    std::string problem;
  };

  void Run();
  void ReloadAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReloadGroup(Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Record(const Group& group, const absl::Status& status);

  Metrics* const metrics_;
  Log* const log_;
  core::Mutex mutex_;
  core::ConditionVariable stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Group> groups_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_RELOADED_FILES_H_
