#include "server/access/tls_identity.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>

#include <ctime>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/access/pem.h"
#include "server/access/tls_context.h"

namespace quantd::server {
namespace {

absl::Status Wrong(const NamedText& file, const std::string& expected) {
  return absl::InvalidArgumentError(absl::StrCat(file.path, " ", expected));
}

absl::StatusOr<std::vector<Certificate>> CertificatesIn(const NamedText& file) {
  absl::StatusOr<std::vector<Certificate>> certificates = ReadCertificates(file.text);
  return certificates.ok() ? std::move(certificates)
                           : Wrong(file,
                                   "has no certificate, or one that cannot be read; expected PEM, "
                                   "with blocks that begin with -----BEGIN CERTIFICATE-----");
}

absl::StatusOr<PrivateKey> PrivateKeyIn(const NamedText& file) {
  absl::StatusOr<PrivateKey> key = ReadPrivateKey(file.text);
  return key.ok() ? std::move(key)
                  : Wrong(file,
                          "has no private key; expected PEM without a passphrase, which begins "
                          "with -----BEGIN PRIVATE KEY-----");
}

absl::StatusOr<std::chrono::system_clock::time_point> ExpiryOf(const NamedText& file,
                                                               const X509& certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &parts) != 1) {
    return Wrong(file, "has a certificate without a valid end; expected a date: make a new one");
  }
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

}  // namespace

absl::StatusOr<TlsIdentity> MakeTlsIdentity(const NamedText& certificate_chain,
                                            const NamedText& private_key,
                                            const NamedText& client_roots) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> chain, CertificatesIn(certificate_chain));
  ASSIGN_OR_RETURN(const PrivateKey key, PrivateKeyIn(private_key));
  const X509& certificate = *chain.front();
  if (X509_check_private_key(&certificate, key.get()) != 1) {
    static_cast<void>(TakeOpensslError());
    return Wrong(private_key,
                 absl::StrCat("is not the key of the certificate in ", certificate_chain.path,
                              "; expected both to be of one pair: give the key that "
                              "the certificate was made with"));
  }
  if (!client_roots.path.empty()) {
    RETURN_IF_ERROR(CertificatesIn(client_roots).status());
  }
  TlsIdentity identity{.certificate_chain = certificate_chain.text,
                       .private_key = private_key.text,
                       .client_roots = client_roots.text,
                       .expires = {}};
  ASSIGN_OR_RETURN(identity.expires, ExpiryOf(certificate_chain, certificate));
  if (const absl::Status status = MakeTlsContext(identity).status(); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        certificate_chain.path, ", ", private_key.path, client_roots.path.empty() ? "" : ", ",
        client_roots.path, ": ", status.message(),
        "; expected others that are strong enough, such as P-256 or RSA with 2048 bits"));
  }
  return identity;
}

}  // namespace quantd::server
