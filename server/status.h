// Converts absl::Status to grpc::Status.

#ifndef QUANTD_SERVER_STATUS_H_
#define QUANTD_SERVER_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace quantd::server {

// Converts `status` to a grpc::Status with the same code and message, and with a
// google.rpc.Status as details. The details contain ErrorInfo (domain "quantd") if
// `status` carries a core::ErrorDetail, BadRequest if that names a field, and
// RetryInfo if a later attempt may succeed. A message that is too long for gRPC's
// headers is cut.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_STATUS_H_
