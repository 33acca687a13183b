// Failed calls as absl::Status: the only file of the client that knows how
// errors travel.

#ifndef QUANTD_CLIENT_LIBRARY_STATUS_H_
#define QUANTD_CLIENT_LIBRARY_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace quantd::client {

// `status` with its code and message. Where grpc-status-details-bin holds a
// google.rpc.ErrorInfo of quantd's, the result carries the core::ErrorDetail
// that the server made: its reason, its metadata and, from
// google.rpc.BadRequest, the field. Other or unreadable details are left out;
// the code and the message are never lost.
absl::Status ToAbslStatus(const grpc::Status& status);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_STATUS_H_
