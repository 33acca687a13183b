#include "server/access/server_tls.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/version_info.h>

#include <cassert>
#include <string>
#include <utility>

namespace quantd::server {
namespace {

struct CredentialsDeleter {
  void operator()(grpc_server_credentials* credentials) const {
    grpc_server_credentials_release(credentials);
  }
};
using CoreCredentials = std::unique_ptr<grpc_server_credentials, CredentialsDeleter>;

// Hands an identity to gRPC whenever there is a newer one than the last. Used by one thread at a
// time, as gRPC's port has a lock for it.
class IdentityFetcher {
 public:
  explicit IdentityFetcher(const ServerTls& tls) : tls_(tls) {}

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<IdentityFetcher*>(self)->Fetch(config);
  }

 private:
  grpc_ssl_certificate_config_reload_status Fetch(grpc_ssl_server_certificate_config** config) {
    const ServerTls::Version newest = tls_.identity();
    if (newest.number == std::exchange(last_, newest.number)) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const TlsIdentity& identity = *newest.identity;
    const grpc_ssl_pem_key_cert_pair pair = {.private_key = identity.private_key.c_str(),
                                             .cert_chain = identity.certificate_chain.c_str()};
    // gRPC insists on roots even where it does not ask clients for certificates.
    const std::string& roots =
        identity.client_roots.empty() ? identity.certificate_chain : identity.client_roots;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const ServerTls& tls_;
  std::uint64_t last_ = 0;
};

// Newer releases of gRPC hold the credentials themselves.
#if GRPC_CPP_VERSION_MAJOR > 1 || GRPC_CPP_VERSION_MINOR > 53
class CredentialsBase : public grpc::ServerCredentials {
 protected:
  explicit CredentialsBase(CoreCredentials credentials)
      : grpc::ServerCredentials(credentials.release()) {}
  grpc_server_credentials* core() const { return c_creds(); }
};
#else
class CredentialsBase : public grpc::ServerCredentials {
 protected:
  explicit CredentialsBase(CoreCredentials credentials) : credentials_(std::move(credentials)) {}
  grpc_server_credentials* core() const { return credentials_.get(); }

 private:
  const CoreCredentials credentials_;
};
#endif

// gRPC's C++ interface has no credentials with certificates that change; its C interface has.
class ReloadedCredentials final : public CredentialsBase {
 public:
  ReloadedCredentials(std::unique_ptr<IdentityFetcher> fetcher, CoreCredentials credentials)
      : CredentialsBase(std::move(credentials)), fetcher_(std::move(fetcher)) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    assert(false);  // AccessControl checks calls.
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), core());
  }

  const std::unique_ptr<IdentityFetcher> fetcher_;
};

}  // namespace

ServerTls::ServerTls(TlsIdentity identity)
    : needs_client_certificate_(!identity.client_roots.empty()) {
  SetIdentity(std::move(identity));
}

void ServerTls::SetIdentity(TlsIdentity identity) {
  const core::MutexLock lock(&mutex_);
  ++identity_.number;
  identity_.identity = std::make_shared<const TlsIdentity>(std::move(identity));
}

ServerTls::Version ServerTls::identity() const {
  const core::MutexLock lock(&mutex_);
  return identity_;
}

std::shared_ptr<grpc::ServerCredentials> ServerTls::MakeCredentials() {
  auto fetcher = std::make_unique<IdentityFetcher>(*this);
  grpc_ssl_server_credentials_options* const options =
      grpc_ssl_server_credentials_create_options_using_config_fetcher(
          needs_client_certificate_ ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
          IdentityFetcher::Fetch, fetcher.get());
  // It takes the options over.
  CoreCredentials credentials(grpc_ssl_server_credentials_create_with_options(options));
  return std::make_shared<ReloadedCredentials>(std::move(fetcher), std::move(credentials));
}

}  // namespace quantd::server
