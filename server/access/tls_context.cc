#include "server/access/tls_context.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/access/pem.h"

namespace quantd::server {
namespace {

absl::Status Refused(absl::string_view subject, const absl::Status& reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("OpenSSL refuses ", subject, ": ", reason.message()));
}

absl::Status UseChain(const std::string& text, SSL_CTX* context) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> chain, ReadCertificates(text));
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return TakeOpensslError();
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return TakeOpensslError();
    }
  }
  return absl::OkStatus();
}

absl::Status UseKey(const std::string& text, SSL_CTX* context) {
  ASSIGN_OR_RETURN(const PrivateKey key, ReadPrivateKey(text));
  return SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1
             ? absl::OkStatus()
             : TakeOpensslError();
}

absl::Status UseClientRoots(const std::string& text, SSL_CTX* context) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> roots, ReadCertificates(text));
  for (const Certificate& root : roots) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) != 1 ||
        SSL_CTX_add_client_CA(context, root.get()) != 1) {
      return TakeOpensslError();
    }
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsContext> MakeTlsContext(const TlsIdentity& identity) {
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return Refused("TLS 1.2", TakeOpensslError());
  }
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context.get(), 0);
  if (const absl::Status status = UseChain(identity.certificate_chain, context.get());
      !status.ok()) {
    return Refused("the certificate", status);
  }
  if (const absl::Status status = UseKey(identity.private_key, context.get()); !status.ok()) {
    return Refused("the private key", status);
  }
  if (identity.client_roots.empty()) {
    return context;
  }
  if (const absl::Status status = UseClientRoots(identity.client_roots, context.get());
      !status.ok()) {
    return Refused("the certificates that sign those of clients", status);
  }
  return context;
}

}  // namespace quantd::server
