// OpenSSL's settings for the connections of a server.

#ifndef QUANTD_SERVER_ACCESS_TLS_CONTEXT_H_
#define QUANTD_SERVER_ACCESS_TLS_CONTEXT_H_

#include <openssl/ssl.h>

#include <memory>

#include "absl/status/statusor.h"
#include "server/access/tls_identity.h"

namespace quantd::server {

struct TlsContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsContextDeleter>;

// Makes a context with TLS from 1.2 on. Clients need a certificate if `identity` has roots for
// them. Sessions are not resumed: each connection is checked against the newest roots.
//
// Errors: kInvalidArgument if OpenSSL refuses the identity, with OpenSSL's reason: a text with a
// certificate that cannot be read, keys that are too short, or a key of another certificate.
absl::StatusOr<TlsContext> MakeTlsContext(const TlsIdentity& identity);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_TLS_CONTEXT_H_
