// An open file of the operating system, with errors as absl::Status.

#ifndef QUANTD_CORE_BASE_FILE_DESCRIPTOR_H_
#define QUANTD_CORE_BASE_FILE_DESCRIPTOR_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::core {

// Owns a file descriptor and closes it. Not for use by several threads at once.
// Errors have the code that fits errno and say what failed, but not the path.
class FileDescriptor {
 public:
  // Takes over an open descriptor, or a negative number that stands for none.
  explicit FileDescriptor(int number) : number_(number) {}

  static absl::StatusOr<FileDescriptor> OpenToRead(const std::filesystem::path& path);
  // The same, but waits until a writer has opened a pipe.
  static absl::StatusOr<FileDescriptor> OpenPipeToRead(const std::filesystem::path& path);
  // Opens an existing file, which may be a device or a pipe.
  static absl::StatusOr<FileDescriptor> OpenToWrite(const std::filesystem::path& path);
  // Opens a file or a device for appending, and creates a file that does not exist with the
  // permissions that the umask allows. Writing to a pipe that was opened so does not wait.
  // Errors: kUnavailable or the like for a pipe that nobody reads.
  static absl::StatusOr<FileDescriptor> OpenToAppend(const std::filesystem::path& path);
  // Creates a file with the permissions that the umask allows.
  // Errors: kAlreadyExists if the file exists.
  static absl::StatusOr<FileDescriptor> Create(const std::filesystem::path& path);

  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  // The number of the descriptor; negative if there is none.
  int number() const { return number_; }

  // Gives the descriptor up without closing it, and returns its number.
  [[nodiscard]] int Release() { return std::exchange(number_, -1); }

  // The size in bytes. Errors: kInvalidArgument for anything but a regular file,
  // such as a directory or a pipe.
  absl::StatusOr<std::uintmax_t> RegularFileSize() const;

  // Fills `buffer` with the bytes from `offset` on. Errors: kDataLoss if the file
  // ends before that.
  absl::Status ReadAt(std::uintmax_t offset, std::span<std::byte> buffer) const;

  // Fills the start of `buffer` with the bytes from the current position on, as many as
  // there are by now but at least one, and returns their number; 0 at the end. The file
  // may be of any kind; waits for the writer of a pipe.
  absl::StatusOr<std::size_t> ReadSome(std::span<std::byte> buffer) const;

  // Reads from the current position to the end. The file may be of any kind; waits for
  // the writer of a pipe. Errors: kResourceExhausted if there are more than `max_bytes`.
  absl::StatusOr<std::string> ReadAll(std::size_t max_bytes) const;

  // Writes all of `bytes`, after those of the last call.
  absl::Status Write(std::span<const std::byte> bytes) const;

  // Waits until everything that was written is on the disk.
  absl::Status Sync() const;

 private:
  static absl::StatusOr<FileDescriptor> Open(const std::filesystem::path& path, int flags);

  int number_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_FILE_DESCRIPTOR_H_
