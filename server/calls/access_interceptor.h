// Access to server reflection.

#ifndef QUANTD_SERVER_CALLS_ACCESS_INTERCEPTOR_H_
#define QUANTD_SERVER_CALLS_ACCESS_INTERCEPTOR_H_

#include <grpcpp/support/server_interceptor.h>

#include "server/access/access_control.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// Ends calls of server reflection that their callers may not make before its handlers see a
// message. Health is open to all, and calls of QuantizationService are checked where they are
// answered (ServedCall), with error details. What does not exist is UNIMPLEMENTED, whoever calls
// it.
class AccessInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  // All must outlive the gRPC server.
  AccessInterceptorFactory(const AccessControl* access_control, Metrics* metrics, Log* log)
      : access_control_(access_control), metrics_(metrics), log_(log) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  class Interceptor;

  const AccessControl* const access_control_;
  Metrics* const metrics_;
  Log* const log_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_ACCESS_INTERCEPTOR_H_
