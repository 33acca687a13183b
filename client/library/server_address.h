// Where servers listen, as people write it.

#ifndef QUANTD_CLIENT_LIBRARY_SERVER_ADDRESS_H_
#define QUANTD_CLIENT_LIBRARY_SERVER_ADDRESS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace quantd::client {

// A server's address that was checked.
struct ServerAddress {
  // HOST:PORT or unix:PATH.
  std::string text;
  // Whether it is on this machine: a unix socket, localhost or a loopback address. What is sent
  // there crosses no network.
  bool is_local = false;

  // Whether it is a unix socket.
  bool IsUnixSocket() const;
};

// Reads one address or several with commas in between: HOST:PORT, with a name, an IPv4 address or
// an IPv6 address in brackets, and a port from 1 to 65535; or unix:PATH. Blanks around commas are
// left out.
//
// Errors: kInvalidArgument, with what was given, what is wrong and what was expected.
absl::StatusOr<std::vector<ServerAddress>> ParseServerAddresses(std::string_view text);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_SERVER_ADDRESS_H_
