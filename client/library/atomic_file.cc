#include "client/library/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

using Parts = std::initializer_list<std::span<const std::byte>>;

// As many as Linux follows.
constexpr int kMaxLinks = 40;

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

// Returns the descriptor of this process that a path stands for.
std::optional<int> DescriptorOf(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 3> kStandardStreams = {"/dev/stdin", "/dev/stdout",
                                                                "/dev/stderr"};
  const std::string_view text = path.native();
  for (std::size_t number = 0; number < kStandardStreams.size(); ++number) {
    if (text == kStandardStreams[number]) {
      return static_cast<int>(number);
    }
  }
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    int number = -1;
    if (text.starts_with(folder) &&
        absl::SimpleAtoi(std::string(text.substr(folder.size())), &number) && number >= 0) {
      return number;
    }
  }
  return std::nullopt;
}

// Opens a descriptor for a second time, with the same position in the file.
absl::StatusOr<core::FileDescriptor> Duplicate(int descriptor) {
  core::FileDescriptor copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (copy.number() < 0) {
    return absl::ErrnoToStatus(errno, "cannot write the file");
  }
  return copy;
}

absl::Status WriteDirectly(const std::filesystem::path& path, Parts parts) {
  ASSIGN_OR_RETURN(const core::FileDescriptor file, core::FileDescriptor::OpenToWrite(path));
  return WriteParts(file, parts);
}

absl::Status WriteBesideAndRename(const std::filesystem::path& path,
                                  const std::filesystem::file_status& there, Parts parts) {
  ASSIGN_OR_RETURN(NamedFile created, CreateBeside(path));
  TemporaryFile temporary(std::move(created.name));
  if (std::filesystem::exists(there) &&
      ::fchmod(created.file.number(), static_cast<mode_t>(there.permissions())) != 0) {
    return absl::ErrnoToStatus(errno, "cannot keep the file's permissions");
  }
  RETURN_IF_ERROR(WriteParts(created.file, parts));
  RETURN_IF_ERROR(created.file.Sync());
  return temporary.RenameTo(path);
}

bool IsSpecial(const std::filesystem::file_status& there) {
  return std::filesystem::exists(there) && !std::filesystem::is_regular_file(there);
}

}  // namespace

absl::StatusOr<std::filesystem::path> FollowLinks(std::filesystem::path path) {
  std::error_code error;
  for (int links = 0; links <= kMaxLinks; ++links) {
    // The links of descriptors lead to names that may have gone, or to none.
    if (DescriptorOf(path).has_value() ||
        !std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) {
      return path;
    }
    const std::filesystem::path target = std::filesystem::read_symlink(path, error);
    if (error) {
      return absl::ErrnoToStatus(error.value(), "cannot follow the link");
    }
    path = path.parent_path() / target;
  }
  return absl::ErrnoToStatus(ELOOP, "cannot follow the link");
}

absl::Status WriteFileAtomically(const std::filesystem::path& path, Parts parts) {
  ASSIGN_OR_RETURN(const std::filesystem::path target, FollowLinks(path));
  if (const std::optional<int> descriptor = DescriptorOf(target); descriptor.has_value()) {
    ASSIGN_OR_RETURN(const core::FileDescriptor file, Duplicate(*descriptor));
    return WriteParts(file, parts);
  }
  std::error_code error;
  const std::filesystem::file_status there = std::filesystem::status(target, error);
  return IsSpecial(there) ? WriteDirectly(target, parts)
                          : WriteBesideAndRename(target, there, parts);
}

absl::Status CheckCanBeWritten(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const std::filesystem::path target, FollowLinks(path));
  if (const std::optional<int> descriptor = DescriptorOf(target); descriptor.has_value()) {
    return Duplicate(*descriptor).status();
  }
  std::error_code error;
  const std::filesystem::file_status there = std::filesystem::status(target, error);
  if (std::filesystem::is_directory(there)) {
    return absl::InvalidArgumentError("this is a folder; expected the name of a file");
  }
  if (IsSpecial(there)) {
    return ::access(target.c_str(), W_OK) == 0
               ? absl::OkStatus()
               : absl::ErrnoToStatus(errno, "cannot write the file");
  }
  // Whether a folder takes files does not follow from its permissions alone.
  ASSIGN_OR_RETURN(NamedFile created, CreateBeside(target));
  const TemporaryFile temporary(std::move(created.name));
  return absl::OkStatus();
}

}  // namespace quantd::client
