#include "server/access/certificate_names.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace quantd::server {
namespace {

struct Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

void Append(const ASN1_STRING* text, std::vector<std::string>& names) {
  const unsigned char* const bytes = ASN1_STRING_get0_data(text);
  names.emplace_back(bytes, bytes + ASN1_STRING_length(text));
}

// Mail addresses, DNS names and URIs are all IA5 strings.
void AppendAlternativeNames(const X509& certificate, std::vector<std::string>& names) {
  const std::unique_ptr<GENERAL_NAMES, Deleter> alternatives(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (alternatives == nullptr) {
    return;
  }
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    int type = 0;
    const void* const value =
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(alternatives.get(), i), &type);
    if (type == GEN_EMAIL || type == GEN_DNS || type == GEN_URI) {
      Append(static_cast<const ASN1_STRING*>(value), names);
    }
  }
}

void AppendCommonName(const X509& certificate, std::vector<std::string>& names) {
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index >= 0) {
    Append(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)), names);
  }
}

}  // namespace

std::vector<std::string> PeerCertificateNames(const SSL* connection) {
  std::vector<std::string> names;
  const std::unique_ptr<X509, Deleter> certificate(SSL_get1_peer_certificate(connection));
  if (certificate != nullptr) {
    AppendAlternativeNames(*certificate, names);
    AppendCommonName(*certificate, names);
  }
  return names;
}

}  // namespace quantd::server
