#include "server/access/tls_identity.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace quantd::server {
namespace {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Reader = std::unique_ptr<BIO, Deleter<BIO_free>>;

Reader ReaderOf(const std::string& text) {
  return Reader(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask the terminal for a passphrase.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*for_writing*/, void* /*data*/) { return 0; }

absl::Status Wrong(const NamedText& file, const std::string& expected) {
  // The reasons are of no use to others that share the thread.
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(file.path, " ", expected));
}

absl::StatusOr<Certificate> ReadCertificate(const NamedText& file) {
  const Reader reader = ReaderOf(file.text);
  Certificate certificate(PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr));
  if (certificate == nullptr) {
    return Wrong(file,
                 "has no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----");
  }
  return certificate;
}

absl::StatusOr<PrivateKey> ReadPrivateKey(const NamedText& file) {
  const Reader reader = ReaderOf(file.text);
  PrivateKey key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return Wrong(file,
                 "has no private key; expected PEM without a passphrase, which begins with "
                 "-----BEGIN PRIVATE KEY-----");
  }
  return key;
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
  ASSIGN_OR_RETURN(const Certificate certificate, ReadCertificate(certificate_chain));
  ASSIGN_OR_RETURN(const PrivateKey key, ReadPrivateKey(private_key));
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Wrong(private_key,
                 absl::StrCat("is not the key of the certificate in ", certificate_chain.path,
                              "; expected both to be of one pair: give the key that "
                              "the certificate was made with"));
  }
  if (!client_roots.path.empty()) {
    RETURN_IF_ERROR(ReadCertificate(client_roots).status());
  }
  TlsIdentity identity{.certificate_chain = certificate_chain.text,
                       .private_key = private_key.text,
                       .client_roots = client_roots.text,
                       .expires = {}};
  ASSIGN_OR_RETURN(identity.expires, ExpiryOf(certificate_chain, *certificate));
  return identity;
}

}  // namespace quantd::server
