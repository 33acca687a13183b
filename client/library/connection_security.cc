#include "client/library/connection_security.h"

#include "absl/strings/str_cat.h"

namespace quantd::client {

absl::Status CheckSecurity(const ConnectionSecurity& security,
                           std::span<const ServerAddress> addresses) {
  const bool has_certificate = !security.certificate_chain.empty();
  if (has_certificate != !security.private_key.empty()) {
    return absl::InvalidArgumentError(
        "only one of the client's certificate and its private key is given; expected both, or "
        "neither");
  }
  if (!security.tls &&
      (has_certificate || !security.root_certificates.empty() || !security.server_name.empty())) {
    return absl::InvalidArgumentError(
        "certificates or a server name are given without TLS; expected TLS to be switched on as "
        "well, or none of them");
  }
  for (const ServerAddress& address : addresses) {
    if (!security.token_file.empty() && !security.tls && !security.allow_plaintext_token &&
        !address.is_local) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token would cross the network to ", address.text,
                       " in plain text; expected TLS, or an address of this machine"));
    }
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsFor(const ConnectionSecurity& security,
                                                         const ServerAddress& address) {
  if (!security.tls || address.IsUnixSocket()) {
    return grpc::InsecureChannelCredentials();
  }
  return grpc::SslCredentials({.pem_root_certs = security.root_certificates,
                               .pem_private_key = security.private_key,
                               .pem_cert_chain = security.certificate_chain});
}

}  // namespace quantd::client
