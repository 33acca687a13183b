// From absl::Status to what travels over gRPC.

#ifndef QUANTD_SERVER_STATUS_H_
#define QUANTD_SERVER_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace quantd::server {

// The same code and message, with google.rpc.Status as details: ErrorInfo
// (domain "quantd") where `status` carries a core::ErrorDetail, BadRequest
// where that names a field, RetryInfo where a later try may succeed. A message
// too long for gRPC's headers is cut.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_STATUS_H_
