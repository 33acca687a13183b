// What a server shows its clients, and asks of them, when a connection begins.

#ifndef QUANTD_SERVER_ACCESS_TLS_IDENTITY_H_
#define QUANTD_SERVER_ACCESS_TLS_IDENTITY_H_

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/access/named_text.h"

namespace quantd::server {

// All texts are PEM.
struct TlsIdentity {
  // The server's certificate, followed by those that connect it with a root.
  std::string certificate_chain;
  std::string private_key;
  // The certificates that clients' certificates have to be signed by; empty: clients need none.
  std::string client_roots;
  // When the server's certificate ends.
  std::chrono::system_clock::time_point expires;
};

// Reads and checks an identity. `client_roots` may have an empty path: clients need no certificate
// then. A certificate that has expired is accepted: that is for clients to judge.
//
// Errors: kInvalidArgument, with the path and what was expected, if a text is not the PEM of
// certificates or of a key without a passphrase, or if the key is not that of the certificate.
absl::StatusOr<TlsIdentity> MakeTlsIdentity(const NamedText& certificate_chain,
                                            const NamedText& private_key,
                                            const NamedText& client_roots);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_TLS_IDENTITY_H_
