// Makes certificates for tests.

#ifndef QUANTD_TESTS_SERVER_ACCESS_MADE_CERTIFICATE_H_
#define QUANTD_TESTS_SERVER_ACCESS_MADE_CERTIFICATE_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace quantd::server {

// A self-signed certificate and its key, in PEM. Without a check for errors of OpenSSL: a test that
// uses an incomplete certificate fails.
class MadeCertificate {
 public:
  // Is valid from now for `seconds`, or until so long ago. Takes `key` over.
  explicit MadeCertificate(std::int64_t seconds, EVP_PKEY* key = EVP_EC_gen("P-256"))
      : key_(key), certificate_(X509_new()) {
    X509_set_version(certificate_.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), seconds);
    X509_set_pubkey(certificate_.get(), key_.get());
    X509_NAME* const name = X509_get_subject_name(certificate_.get());
    static constexpr unsigned char kName[] = "test";
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, kName, -1, -1, 0);
    X509_set_issuer_name(certificate_.get(), name);
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  }

  std::string certificate() const {
    const Writer writer(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(writer.get(), certificate_.get());
    return TextOf(writer);
  }

  // Encrypted if `passphrase` is not empty.
  std::string key(std::string passphrase = "") const {
    const Writer writer(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(
        writer.get(), key_.get(), passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
        passphrase.data(), static_cast<int>(passphrase.size()), nullptr, nullptr);
    return TextOf(writer);
  }

 private:
  struct Deleter {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(BIO* writer) const { BIO_free(writer); }
  };
  using Writer = std::unique_ptr<BIO, Deleter>;

  static std::string TextOf(const Writer& writer) {
    std::string text(BIO_ctrl_pending(writer.get()), '\0');
    std::size_t size = 0;
    BIO_read_ex(writer.get(), text.data(), text.size(), &size);
    text.resize(size);
    return text;
  }

  const std::unique_ptr<EVP_PKEY, Deleter> key_;
  const std::unique_ptr<X509, Deleter> certificate_;
};

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_ACCESS_MADE_CERTIFICATE_H_
