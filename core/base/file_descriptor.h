// An open file of the operating system, with errors as absl::Status.

#ifndef QUANTD_CORE_BASE_FILE_DESCRIPTOR_H_
#define QUANTD_CORE_BASE_FILE_DESCRIPTOR_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::core {

// Owns a file descriptor and closes it. Not for several threads at once.
// Errors have the code that fits errno and say what failed, but not the path.
class FileDescriptor {
 public:
  static absl::StatusOr<FileDescriptor> OpenToRead(const std::filesystem::path& path);
  // Opens what is there, such as a device.
  static absl::StatusOr<FileDescriptor> OpenToWrite(const std::filesystem::path& path);
  // Makes a file with the permissions that the umask leaves.
  // Errors: kAlreadyExists where there is one.
  static absl::StatusOr<FileDescriptor> Create(const std::filesystem::path& path);

  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  // The size in bytes. Errors: kInvalidArgument for a directory, a pipe or
  // another thing whose size is not known.
  absl::StatusOr<std::uintmax_t> RegularFileSize() const;

  // Fills `buffer` with the bytes from `offset` on. Errors: kDataLoss where the
  // file ends before.
  absl::Status ReadAt(std::uintmax_t offset, std::span<std::byte> buffer) const;

  // Writes all of `bytes` where the last write ended.
  absl::Status Write(std::span<const std::byte> bytes) const;

  // Waits until what was written is on the disk.
  absl::Status Sync() const;

 private:
  explicit FileDescriptor(int number) : number_(number) {}
  static absl::StatusOr<FileDescriptor> Open(const std::filesystem::path& path, int flags);

  int number_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_FILE_DESCRIPTOR_H_
