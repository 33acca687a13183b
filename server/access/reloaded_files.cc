#include "server/access/reloaded_files.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/read_file.h"
#include "core/base/status_macros.h"

namespace quantd::server {
namespace {

absl::StatusOr<std::vector<NamedText>> ReadTexts(const std::vector<std::string>& paths) {
  std::vector<NamedText> files;
  for (const std::string& path : paths) {
    absl::StatusOr<std::string> text =
        path.empty() ? std::string() : core::ReadFile(path, ReloadedFiles::kMaxBytes);
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
  metrics_->SetRefusedFiles(static_cast<std::size_t>(std::ranges::count_if(
      groups_, [](const Group& group) { return !group.problem.empty() || !group.was_used; })));
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
    const absl::Status status = group.use(group.files);
    group.was_used = status.ok();
    Record(group, status);
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
