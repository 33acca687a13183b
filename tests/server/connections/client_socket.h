// A client of listening sockets.

#ifndef QUANTD_TESTS_SERVER_CONNECTIONS_CLIENT_SOCKET_H_
#define QUANTD_TESTS_SERVER_CONNECTIONS_CLIENT_SOCKET_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "core/base/file_descriptor.h"
#include "core/base/host_port.h"
#include "server/address.h"
#include "server/connections/socket_address.h"

namespace quantd::server {

// Returns the numeric address `text`, which is HOST:PORT or unix:PATH.
inline SocketAddress AddressOf(const std::string& text) {
  if (const auto path = UnixSocketPath(text); path.has_value()) {
    return SocketAddress::OfUnixSocket(*path);
  }
  return ResolveAddresses(*core::ParseHostPort(text))->front();
}

class ClientSocket {
 public:
  // Opens a socket that can connect to `address`.
  explicit ClientSocket(const std::string& address)
      : address_(AddressOf(address)),
        socket_(::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    EXPECT_GE(socket_.number(), 0);
  }

  bool Connect() { return connect(socket_.number(), address_.get(), address_.size()) == 0; }

  // Waits until the other side closes the connection, and returns whether it did within a
  // minute.
  bool IsClosedByServer() {
    pollfd polled{.fd = socket_.number(), .events = POLLIN, .revents = 0};
    char byte = 0;
    return poll(&polled, 1, 60'000) == 1 && recv(socket_.number(), &byte, 1, 0) <= 0;
  }

  // Whether the other side has not closed the connection, at this moment.
  bool IsOpen() {
    char byte = 0;
    return recv(socket_.number(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }

  int number() const { return socket_.number(); }

 private:
  SocketAddress address_;
  core::FileDescriptor socket_;
};

// Whether something accepts connections at `address`.
inline bool CanConnect(const std::string& address) { return ClientSocket(address).Connect(); }

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_CONNECTIONS_CLIENT_SOCKET_H_
