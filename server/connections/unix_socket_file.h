// The file through which clients find a unix socket.

#ifndef QUANTD_SERVER_CONNECTIONS_UNIX_SOCKET_FILE_H_
#define QUANTD_SERVER_CONNECTIONS_UNIX_SOCKET_FILE_H_

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/base/file_descriptor.h"

namespace quantd::server {

// Owns the file of a listening unix socket, and removes it, unless another socket has
// taken its place. Must not outlive its socket: while the socket is open, no other file
// can have the same inode number.
//
// Servers that start or stop on sockets of one folder take turns by locking the folder.
// So what one finds out about a file still holds when it acts on it, and two servers that
// start at once cannot take the file for abandoned that the other has just made. A lock of
// the folder leaves no file behind, unlike a lock file, and holds across containers,
// unlike an abstract socket.
class UnixSocketFile {
 public:
  // Binds `socket`, a unix socket, to `path` and lets it listen. Replaces the file of a
  // socket whose process has ended. The file has the permissions `mode`, or those that the
  // umask allows. `path` has 1 to 107 bytes.
  //
  // Errors, which say what was expected: kUnavailable if a process serves at `path`, if
  // something other than a socket is there, if the folder is missing, not writable, or
  // locked for over a second.
  static absl::StatusOr<UnixSocketFile> Listen(std::string_view path, std::optional<mode_t> mode,
                                               const core::FileDescriptor& socket);

  ~UnixSocketFile();
  UnixSocketFile(UnixSocketFile&& other) noexcept;
  UnixSocketFile& operator=(UnixSocketFile&&) = delete;
  UnixSocketFile(const UnixSocketFile&) = delete;
  UnixSocketFile& operator=(const UnixSocketFile&) = delete;

 private:
  UnixSocketFile(std::string path, dev_t device, ino_t inode);

  // Empty once it is moved from.
  std::string path_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_UNIX_SOCKET_FILE_H_
