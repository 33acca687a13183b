// A minimal HTTP client, which can also behave badly.

#ifndef QUANTD_TESTS_SERVER_HTTP_CLIENT_H_
#define QUANTD_TESTS_SERVER_HTTP_CLIENT_H_

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/file_descriptor.h"
#include "core/base/host_port.h"

namespace quantd::server {

// The parts of "http://127.0.0.1:9464/metrics".
struct HttpUrl {
  explicit HttpUrl(const std::string& url) {
    const std::string rest = url.substr(std::string("http://").size());
    const std::size_t slash = rest.find('/');
    address = core::ParseHostPort(rest.substr(0, slash)).value_or(core::HostPort{});
    path = rest.substr(slash);
  }

  core::HostPort address;
  std::string path;
};

// A connection to a server.
class HttpClient {
 public:
  // `address` is numeric.
  explicit HttpClient(const core::HostPort& address) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) !=
        0) {
      return;
    }
    socket_ =
        core::FileDescriptor(::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0));
    connected_ = ::connect(socket_.number(), found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
  }

  bool connected() const { return connected_; }

  void Send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t size = ::send(socket_.number(), text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) {
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  // Returns what the server sends until it closes the connection.
  std::string ReceiveAll() const {
    std::string text;
    std::array<char, 4096> part{};
    ssize_t size = 0;
    while ((size = ::recv(socket_.number(), part.data(), part.size(), 0)) > 0) {
      text.append(part.data(), static_cast<std::size_t>(size));
    }
    return text;
  }

 private:
  core::FileDescriptor socket_{-1};
  bool connected_ = false;
};

// Returns the answer to a request for `url` including its header; empty if there is none.
// `fields` are further lines of the request's header.
inline std::string HttpRequest(const std::string& method, const std::string& url,
                               const std::string& fields = "") {
  const HttpUrl parts(url);
  const HttpClient client(parts.address);
  client.Send(method + " " + parts.path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
  return client.ReceiveAll();
}

inline std::string HttpGet(const std::string& url) { return HttpRequest("GET", url); }

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_HTTP_CLIENT_H_
