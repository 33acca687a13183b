#include "server/connections/unix_socket_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "server/connections/socket_address.h"

namespace quantd::server {
namespace {

// A server holds the lock of the folder for a few system calls.
constexpr std::chrono::seconds kLockTimeout{1};
constexpr std::chrono::milliseconds kLockInterval{5};

std::string ErrorText(int error) { return std::generic_category().message(error); }

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// Returns the locked folder, which is unlocked when it is closed.
absl::StatusOr<core::FileDescriptor> LockFolder(const std::string& folder) {
  core::FileDescriptor lock(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.number() < 0) {
    const int error = errno;
    return absl::UnavailableError(
        absl::StrCat("the folder ", folder, " cannot be opened: ", ErrorText(error),
                     "; expected a folder that this user may read and write: ",
                     error == ENOENT ? "create it" : "grant the permissions",
                     ", or choose another one with --listen"));
  }
  // There is no flock() with a time limit.
  const auto deadline = std::chrono::steady_clock::now() + kLockTimeout;
  while (flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK && error != EINTR) {
      return absl::UnavailableError(absl::StrCat(
          "the folder ", folder, " cannot be locked: ", ErrorText(error),
          "; expected a file system that supports locks: choose another folder with --listen"));
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return absl::UnavailableError(
          absl::StrCat("another process keeps the folder ", folder,
                       " locked; expected to get its lock within a second: stop that process "
                       "(lslocks lists it), or choose another folder with --listen"));
    }
    std::this_thread::sleep_for(kLockInterval);
  }
  return lock;
}

// Returns an error unless the socket file at `path` belongs to a process that has ended.
absl::Status CheckAbandoned(const std::string& path) {
  const core::FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.number() < 0) {
    return absl::UnavailableError(absl::StrCat("no socket can be opened: ", ErrorText(errno)));
  }
  const SocketAddress address = SocketAddress::OfUnixSocket(path);
  const int error = connect(probe.number(), address.get(), address.size()) == 0 ? 0 : errno;
  switch (error) {
    case ECONNREFUSED:
      return absl::OkStatus();
    case 0:
    case EAGAIN:      // It listens, and many clients wait.
    case EPROTOTYPE:  // It takes datagrams.
      return absl::UnavailableError(
          "another process serves there; expected a path that no process uses: choose another one "
          "with --listen, or stop that process");
    default:
      return absl::UnavailableError(absl::StrCat(
          "checking whether a process serves there failed: ", ErrorText(error),
          "; expected a path that no process uses: choose another one with --listen, or remove "
          "the file if no process needs it"));
  }
}

// Removes an abandoned socket at `path`, if there is one. The folder is locked.
absl::Status MakeRoom(const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) {
    // Usually, there is no file. bind() reports any other reason.
    return absl::OkStatus();
  }
  if (!S_ISSOCK(file.st_mode)) {
    return absl::UnavailableError(
        "there is a file that is not a socket; expected a free path: choose another one with "
        "--listen, or remove the file");
  }
  RETURN_IF_ERROR(CheckAbandoned(path));
  if (unlink(path.c_str()) != 0) {
    const int error = errno;
    return absl::UnavailableError(absl::StrCat(
        "the socket of a process that has ended cannot be removed: ", ErrorText(error),
        "; expected a folder that this user may write: remove the file, or grant the permission"));
  }
  return absl::OkStatus();
}

absl::Status CannotBind(int error) {
  return absl::UnavailableError(
      absl::StrCat("the socket cannot be made: ", ErrorText(error),
                   error == EACCES || error == EPERM || error == EROFS
                       ? "; expected a folder that this user may write: grant the permission, or "
                         "choose another folder with --listen"
                       : "; expected a path at which a file can be created: choose another one "
                         "with --listen"));
}

}  // namespace

UnixSocketFile::UnixSocketFile(std::string path, dev_t device, ino_t inode)
    : path_(std::move(path)), device_(device), inode_(inode) {}

UnixSocketFile::UnixSocketFile(UnixSocketFile&& other) noexcept
    : path_(std::exchange(other.path_, "")), device_(other.device_), inode_(other.inode_) {}

absl::StatusOr<UnixSocketFile> UnixSocketFile::Listen(std::string_view path,
                                                      std::optional<mode_t> mode,
                                                      const core::FileDescriptor& socket) {
  const std::string name(path);
  ASSIGN_OR_RETURN(const core::FileDescriptor lock, LockFolder(FolderOf(name)));
  RETURN_IF_ERROR(MakeRoom(name));
  const SocketAddress address = SocketAddress::OfUnixSocket(path);
  if (bind(socket.number(), address.get(), address.size()) != 0) {
    return CannotBind(errno);
  }
  struct stat file {};
  // Nobody can connect before the socket listens, so the permissions are never wider.
  if (lstat(name.c_str(), &file) != 0 || (mode.has_value() && chmod(name.c_str(), *mode) != 0) ||
      listen(socket.number(), SOMAXCONN) != 0) {
    const int error = errno;
    unlink(name.c_str());
    return CannotBind(error);
  }
  return UnixSocketFile(name, file.st_dev, file.st_ino);
}

UnixSocketFile::~UnixSocketFile() {
  if (path_.empty()) {
    return;
  }
  // Without the lock, the file stays. The next server replaces it.
  const absl::StatusOr<core::FileDescriptor> lock = LockFolder(FolderOf(path_));
  struct stat file {};
  if (lock.ok() && lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
      file.st_ino == inode_) {
    unlink(path_.c_str());
  }
}

}  // namespace quantd::server
