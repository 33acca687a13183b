#include "server/access/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <utility>

namespace quantd::server {
namespace {

struct ReaderDeleter {
  void operator()(BIO* reader) const { BIO_free(reader); }
};
using Reader = std::unique_ptr<BIO, ReaderDeleter>;

Reader ReaderOf(const std::string& text) {
  return Reader(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask the terminal for a passphrase.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*for_writing*/, void* /*data*/) { return 0; }

}  // namespace

absl::Status TakeOpensslError() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  absl::Status status = absl::InvalidArgumentError(reason == nullptr ? "unknown" : reason);
  // Otherwise the next call on this thread would find it.
  ERR_clear_error();
  return status;
}

absl::StatusOr<std::vector<Certificate>> ReadCertificates(const std::string& text) {
  ERR_clear_error();
  const Reader reader = ReaderOf(text);
  std::vector<Certificate> certificates;
  while (Certificate next{PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr)}) {
    certificates.push_back(std::move(next));
  }
  // The error with which the text ends.
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  absl::Status status = TakeOpensslError();
  if (certificates.empty() || !is_at_end) {
    return status;
  }
  return certificates;
}

absl::StatusOr<PrivateKey> ReadPrivateKey(const std::string& text) {
  ERR_clear_error();
  const Reader reader = ReaderOf(text);
  PrivateKey key(PEM_read_bio_PrivateKey(reader.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return TakeOpensslError();
  }
  return key;
}

}  // namespace quantd::server
