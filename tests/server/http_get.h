// A minimal HTTP client for scraping a metrics page.

#ifndef QUANTD_TESTS_SERVER_HTTP_GET_H_
#define QUANTD_TESTS_SERVER_HTTP_GET_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "core/base/host_port.h"

namespace quantd::server {

// Returns the answer to GET `url` ("http://127.0.0.1:9464/metrics") including its header;
// empty if there is no answer.
inline std::string HttpGet(const std::string& url) {
  const std::string rest = url.substr(std::string("http://").size());
  const std::size_t slash = rest.find('/');
  const auto address = core::ParseHostPort(rest.substr(0, slash));
  if (!address.has_value()) {
    return "";
  }
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(address->port);
  inet_pton(AF_INET, address->host.c_str(), &server.sin_addr);
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  const void* const generic = &server;
  std::string answer;
  if (connect(connection, static_cast<const sockaddr*>(generic), sizeof(server)) == 0) {
    const std::string request =
        "GET " + rest.substr(slash) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    std::array<char, 4096> part{};
    ssize_t size = send(connection, request.data(), request.size(), MSG_NOSIGNAL);
    while ((size = recv(connection, part.data(), part.size(), 0)) > 0) {
      answer.append(part.data(), static_cast<std::size_t>(size));
    }
  }
  close(connection);
  return answer;
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_HTTP_GET_H_
