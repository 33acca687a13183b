#include "core/base/file_descriptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace quantd::core {
namespace {

// Read and write for everybody, before the umask.
constexpr mode_t kPermissions = 0666;

}  // namespace

absl::StatusOr<FileDescriptor> FileDescriptor::Open(const std::filesystem::path& path, int flags) {
  int number = -1;
  do {
    number = ::open(path.c_str(), flags | O_CLOEXEC, kPermissions);
  } while (number < 0 && errno == EINTR);
  if (number < 0) {
    return absl::ErrnoToStatus(errno, "cannot open the file");
  }
  return FileDescriptor(number);
}

absl::StatusOr<FileDescriptor> FileDescriptor::OpenToRead(const std::filesystem::path& path) {
  // Does not wait for a writer to open a pipe.
  return Open(path, O_RDONLY | O_NONBLOCK);
}

absl::StatusOr<FileDescriptor> FileDescriptor::OpenPipeToRead(const std::filesystem::path& path) {
  return Open(path, O_RDONLY);
}

absl::StatusOr<FileDescriptor> FileDescriptor::OpenToWrite(const std::filesystem::path& path) {
  return Open(path, O_WRONLY);
}

absl::StatusOr<FileDescriptor> FileDescriptor::OpenToAppend(const std::filesystem::path& path) {
  return Open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
}

absl::StatusOr<FileDescriptor> FileDescriptor::Create(const std::filesystem::path& path) {
  return Open(path, O_WRONLY | O_CREAT | O_EXCL);
}

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) {
    ::close(number_);
  }
}

absl::StatusOr<std::uintmax_t> FileDescriptor::RegularFileSize() const {
  struct stat status {};
  if (::fstat(number_, &status) != 0) {
    return absl::ErrnoToStatus(errno, "cannot find out the size of the file");
  }
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(
        "this is a directory, a pipe or a device; expected a regular file: save to a file first");
  }
  return static_cast<std::uintmax_t>(status.st_size);
}

absl::Status FileDescriptor::ReadAt(std::uintmax_t offset, std::span<std::byte> buffer) const {
  while (!buffer.empty()) {
    const ssize_t count =
        ::pread(number_, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return absl::ErrnoToStatus(errno, "cannot read the file");
    }
    if (count == 0) {
      return absl::DataLossError("the file became shorter while it was read");
    }
    buffer = buffer.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uintmax_t>(count);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> FileDescriptor::ReadSome(std::span<std::byte> buffer) const {
  while (true) {
    const ssize_t count = ::read(number_, buffer.data(), buffer.size());
    if (count >= 0) {
      return static_cast<std::size_t>(count);
    }
    if (errno == EAGAIN) {
      // A pipe whose writer is not ready.
      pollfd pipe{.fd = number_, .events = POLLIN, .revents = 0};
      ::poll(&pipe, 1, -1);
    } else if (errno != EINTR) {
      return absl::ErrnoToStatus(errno, "cannot read the file");
    }
  }
}

absl::StatusOr<std::string> FileDescriptor::ReadAll(std::size_t max_bytes) const {
  std::string bytes;
  std::array<char, 4096> part{};
  while (bytes.size() <= max_bytes) {
    ASSIGN_OR_RETURN(const std::size_t count, ReadSome(std::as_writable_bytes(std::span(part))));
    if (count == 0) {
      return bytes;
    }
    bytes.append(part.data(), count);
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("the file is larger than ", max_bytes, " bytes"));
}

absl::Status FileDescriptor::Write(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::write(number_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return absl::ErrnoToStatus(errno, "cannot write the file");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status FileDescriptor::Sync() const {
  if (::fsync(number_) != 0) {
    return absl::ErrnoToStatus(errno, "cannot write the file");
  }
  return absl::OkStatus();
}

}  // namespace quantd::core
