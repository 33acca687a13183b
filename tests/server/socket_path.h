// Paths for unix sockets, and what other processes leave at them.

#ifndef QUANTD_TESTS_SERVER_SOCKET_PATH_H_
#define QUANTD_TESTS_SERVER_SOCKET_PATH_H_

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "core/base/file_descriptor.h"
#include "server/connections/socket_address.h"

namespace quantd::server {

// A short, unused path in a folder of its own, which is removed after the test.
class SocketPath {
 public:
  SocketPath() {
    std::string folder = "/tmp/quantd-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~SocketPath() { std::filesystem::remove_all(folder_); }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;

  const std::string& folder() const { return folder_; }
  std::string path() const { return folder_ + "/quantd.sock"; }
  std::string address() const { return "unix:" + path(); }

 private:
  std::string folder_;
};

// Returns a socket that listens at `path`, and does not remove its file.
inline core::FileDescriptor ListenAt(const std::string& path) {
  core::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress address = SocketAddress::OfUnixSocket(path);
  EXPECT_EQ(bind(socket.number(), address.get(), address.size()), 0);
  EXPECT_EQ(listen(socket.number(), 1), 0);
  return socket;
}

// Leaves a socket file behind, like a server that was killed.
inline void AbandonSocket(const std::string& path) { ListenAt(path); }

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_SOCKET_PATH_H_
