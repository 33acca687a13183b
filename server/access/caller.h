// Who makes a call.

#ifndef QUANTD_SERVER_ACCESS_CALLER_H_
#define QUANTD_SERVER_ACCESS_CALLER_H_

#include <optional>
#include <string>
#include <vector>

namespace quantd::server {

// What a call shows of its caller. All of it is the client's word, except that the TLS handshake
// has verified the certificate.
struct Credentials {
  // The names in the client's certificate: its alternative names and its common name. Empty if
  // there is no certificate.
  std::vector<std::string> certificate_names = {};
  // The value of the header "authorization", if there is one.
  std::optional<std::string> authorization = std::nullopt;
  // Whether the call came over a unix socket, whose permissions say who may use it.
  bool uses_unix_socket = false;
};

// A caller whose credentials were checked.
struct Caller {
  // "certificate:NAME", "token:NAME" and "unix"; empty for a caller of whom nothing is known.
  std::vector<std::string> identities = {};

  // For logs and messages: the identities with commas in between, or "anonymous".
  std::string Name() const;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_CALLER_H_
