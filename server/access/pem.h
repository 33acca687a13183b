// Certificates and keys as text (RFC 7468).

#ifndef QUANTD_SERVER_ACCESS_PEM_H_
#define QUANTD_SERVER_ACCESS_PEM_H_

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::server {

struct PemDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, PemDeleter>;
using PrivateKey = std::unique_ptr<EVP_PKEY, PemDeleter>;

// Returns the reason of the OpenSSL function that has failed on this thread, as kInvalidArgument,
// and forgets it.
absl::Status TakeOpensslError();

// Reads the certificates in a text: at least one. What is between them is left out.
//
// Errors: kInvalidArgument, with OpenSSL's reason, if there is none, or if one cannot be read.
absl::StatusOr<std::vector<Certificate>> ReadCertificates(const std::string& text);

// Reads a private key, which must not need a passphrase.
//
// Errors: kInvalidArgument, with OpenSSL's reason.
absl::StatusOr<PrivateKey> ReadPrivateKey(const std::string& text);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_PEM_H_
