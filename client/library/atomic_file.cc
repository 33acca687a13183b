#include "client/library/atomic_file.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

using Parts = std::initializer_list<std::span<const std::byte>>;

absl::Status WriteParts(const core::FileDescriptor& file, Parts parts) {
  for (const std::span<const std::byte> part : parts) {
    RETURN_IF_ERROR(file.Write(part));
  }
  return absl::OkStatus();
}

// Returns a name in the folder of `path` that no other writer of this process gets.
std::filesystem::path TemporaryName(const std::filesystem::path& path) {
  static std::atomic<std::uint64_t> count = 0;
  std::filesystem::path name = path;
  name.replace_filename(absl::StrCat(".quantd-", ::getpid(), "-", count.fetch_add(1), ".tmp"));
  return name;
}

struct NamedFile {
  std::filesystem::path name;
  core::FileDescriptor file;
};

// Creates a new file in the folder of `path`.
absl::StatusOr<NamedFile> CreateBeside(const std::filesystem::path& path) {
  while (true) {
    std::filesystem::path name = TemporaryName(path);
    absl::StatusOr<core::FileDescriptor> file = core::FileDescriptor::Create(name);
    if (file.ok()) {
      return NamedFile{.name = std::move(name), .file = *std::move(file)};
    }
    // A killed process may have left a file of this name behind.
    if (!absl::IsAlreadyExists(file.status())) {
      return file.status();
    }
  }
}

// Removes a file on destruction, unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    std::error_code ignored;  // There is nobody left to report it to.
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  absl::Status RenameTo(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::rename(path_, path, error);
    return error ? absl::ErrnoToStatus(error.value(), "cannot move the file into place")
                 : absl::OkStatus();
  }

 private:
  std::filesystem::path path_;
};

absl::Status WriteDirectly(const std::filesystem::path& path, Parts parts) {
  ASSIGN_OR_RETURN(const core::FileDescriptor file, core::FileDescriptor::OpenToWrite(path));
  return WriteParts(file, parts);
}

absl::Status WriteBesideAndRename(const std::filesystem::path& path, Parts parts) {
  ASSIGN_OR_RETURN(NamedFile created, CreateBeside(path));
  TemporaryFile temporary(std::move(created.name));
  RETURN_IF_ERROR(WriteParts(created.file, parts));
  RETURN_IF_ERROR(created.file.Sync());
  return temporary.RenameTo(path);
}

}  // namespace

absl::Status WriteFileAtomically(const std::filesystem::path& path, Parts parts) {
  std::error_code error;
  const std::filesystem::file_status there = std::filesystem::status(path, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return WriteDirectly(path, parts);
  }
  if (std::filesystem::is_regular_file(there)) {
    // Replaces the file that a link points to, and keeps the link.
    const std::filesystem::path target = std::filesystem::canonical(path, error);
    return error ? absl::ErrnoToStatus(error.value(), "cannot follow the link")
                 : WriteBesideAndRename(target, parts);
  }
  return WriteBesideAndRename(path, parts);
}

}  // namespace quantd::client
