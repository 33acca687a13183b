#include "server/access/reloaded_files.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"

namespace quantd::server {
namespace {

absl::StatusOr<std::string> ReadText(const std::string& path) {
  ASSIGN_OR_RETURN(const core::FileDescriptor file, core::FileDescriptor::OpenToRead(path));
  return file.ReadAll(ReloadedFiles::kMaxBytes);
}

absl::StatusOr<std::vector<NamedText>> ReadTexts(const std::vector<std::string>& paths) {
  std::vector<NamedText> files;
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text = path.empty() ? std::string() : ReadText(path);
    if (!text.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": ", text.status().message(),
                       "; expected a file that this user may read, of at most ",
                       ReloadedFiles::kMaxBytes >> 20U, " MiB"));
    }
    files.push_back({.path = path, .text = *std::move(text)});
  }
  return files;
}

}  // namespace

ReloadedFiles::~ReloadedFiles() {
  {
    const core::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  stop_.NotifyAll();
  if (thread_.joinable()) {
    thread_.join();
  }
}

absl::Status ReloadedFiles::Add(std::string subject, std::vector<std::string> paths, Use use) {
  ASSIGN_OR_RETURN(std::vector<NamedText> files, ReadTexts(paths));
  RETURN_IF_ERROR(use(files));
  const core::MutexLock lock(&mutex_);
  groups_.push_back({.subject = std::move(subject),
                     .paths = std::move(paths),
                     .use = std::move(use),
                     .files = std::move(files),
                     .problem = ""});
  return absl::OkStatus();
}

void ReloadedFiles::Start() {
  const core::MutexLock lock(&mutex_);
  if (!groups_.empty()) {
    thread_ = std::thread(&ReloadedFiles::Run, this);
  }
}

void ReloadedFiles::Run() {
  const core::MutexLock lock(&mutex_);
  auto next = std::chrono::steady_clock::now() + kInterval;
  while (!stopping_) {
    if (!stop_.WaitUntil(&mutex_, next)) {
      ReloadAll();
      next = std::chrono::steady_clock::now() + kInterval;
    }
  }
}

void ReloadedFiles::Reload() {
  const core::MutexLock lock(&mutex_);
  ReloadAll();
}

void ReloadedFiles::ReloadAll() {
  for (Group& group : groups_) {
    ReloadGroup(group);
  }
}

void ReloadedFiles::ReloadGroup(Group& group) {
  absl::StatusOr<std::vector<NamedText>> files = ReadTexts(group.paths);
  const std::string problem(files.status().message());
  if (!files.ok()) {
    // While it stays the same, it was recorded once.
    if (std::exchange(group.problem, problem) != problem) {
      Record(group, files.status());
    }
    return;
  }
  group.problem.clear();
  if (*files != group.files) {
    group.files = *std::move(files);
    Record(group, group.use(group.files));
  }
}

void ReloadedFiles::Record(const Group& group, const absl::Status& status) {
  metrics_->FilesReloaded(status.ok());
  if (status.ok()) {
    log_->Write(LogLevel::kInfo, "files reloaded", {{"subject", group.subject}});
  } else {
    log_->Write(
        LogLevel::kError, "cannot reload files",
        {{"subject", group.subject},
         {"message", absl::StrCat(status.message(), "; what was read before stays in use")}});
  }
}

}  // namespace quantd::server
