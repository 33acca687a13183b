// How a client and a server know each other.

#ifndef QUANTD_CLIENT_LIBRARY_CONNECTION_SECURITY_H_
#define QUANTD_CLIENT_LIBRARY_CONNECTION_SECURITY_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "client/library/server_address.h"

namespace quantd::client {

// Unix sockets are never encrypted, whatever this says.
struct ConnectionSecurity {
  // Whether to encrypt, and to check the server's certificate.
  bool tls = false;
  // The certificates to trust, in PEM; empty: those of the system.
  std::string root_certificates = {};
  // The client's own certificate, followed by those that connect it with a root, and its key, in
  // PEM; both empty if the server does not ask for a certificate.
  std::string certificate_chain = {};
  std::string private_key = {};
  // The name to expect in the server's certificate; empty: that of the address.
  std::string server_name = {};
  // A file with a token to show with every call, read again whenever it changes; empty: none.
  std::string token_file = {};
  // Whether to send the token over a network without encryption.
  bool allow_plaintext_token = false;
};

// Checks that what belongs together is given together.
//
// Errors: kInvalidArgument, with what was expected: for certificates without TLS, for half of the
// client's certificate and key, and for a token that would cross a network in plain text.
absl::Status CheckSecurity(const ConnectionSecurity& security,
                           std::span<const ServerAddress> addresses);

// Returns gRPC's credentials for a connection to `address`.
std::shared_ptr<grpc::ChannelCredentials> CredentialsFor(const ConnectionSecurity& security,
                                                         const ServerAddress& address);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CONNECTION_SECURITY_H_
