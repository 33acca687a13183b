// TLS for the connections of a server.

#ifndef QUANTD_SERVER_ACCESS_SERVER_TLS_H_
#define QUANTD_SERVER_ACCESS_SERVER_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "server/access/tls_identity.h"

namespace quantd::server {

// Gives connections the newest identity of a server. Thread-safe.
//
// gRPC 1.51 also offers credentials that watch files themselves. But these do not notice a key that
// does not go with its certificate, and use freed memory after such a pair
// (TlsServerSecurityConnector::UpdateHandshakerFactoryLocked()). Here, only identities that were
// checked reach gRPC.
class ServerTls {
 public:
  struct Version {
    // Greater for an identity that was set later.
    std::uint64_t number = 0;
    std::shared_ptr<const TlsIdentity> identity;
  };

  explicit ServerTls(TlsIdentity identity);

  // From now on, new connections have this identity. Those that are open keep theirs. Whether
  // clients need a certificate stays as it was at first.
  void SetIdentity(TlsIdentity identity);

  Version identity() const;

  // Makes credentials for one port of a gRPC server: TLS from 1.2 on. This must outlive the server.
  std::shared_ptr<grpc::ServerCredentials> MakeCredentials();

 private:
  const bool needs_client_certificate_;
  mutable core::Mutex mutex_;
  Version identity_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_SERVER_TLS_H_
