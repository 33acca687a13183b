// Access to server reflection.

#ifndef QUANTD_SERVER_CALLS_ACCESS_INTERCEPTOR_H_
#define QUANTD_SERVER_CALLS_ACCESS_INTERCEPTOR_H_

#include <grpcpp/support/server_interceptor.h>

#include "server/access/access_guard.h"

namespace quantd::server {

// Ends calls of server reflection that their callers may not make before its handlers see a
// message. Health is open to all, and calls of QuantizationService are checked where they are
// answered (ServedCall), with error details. What does not exist is UNIMPLEMENTED, whoever calls
// it.
class AccessInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit AccessInterceptorFactory(const AccessGuard& guard) : guard_(guard) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  class Interceptor;

  const AccessGuard guard_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_ACCESS_INTERCEPTOR_H_
