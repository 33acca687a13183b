// absl::Status as it travels over gRPC, and back. Nothing else knows the details
// of google.rpc.

#ifndef QUANTD_WIRE_STATUS_H_
#define QUANTD_WIRE_STATUS_H_

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>

#include "absl/status/status.h"

namespace quantd::wire {

// Returns the same code and message, with a google.rpc.Status as details: an
// ErrorInfo (domain "quantd") if `status` carries a core::ErrorDetail, a
// BadRequest if that names a field, and a RetryInfo if a later attempt may
// succeed. Cuts a message that is too long for gRPC's headers.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Returns after what time a later attempt may succeed, or nothing if `status` does not
// suggest one.
std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status);

// Returns the delay in the google.rpc.RetryInfo of `status`, or nothing if it has none.
std::optional<std::chrono::milliseconds> RetryDelay(const grpc::Status& status);

// Returns the same code and message. If the details hold an ErrorInfo of quantd,
// the result carries the core::ErrorDetail that the server made: its reason, its
// metadata and, from BadRequest, its field. Ignores other details, and those that
// cannot be read. A code that Abseil does not have becomes kUnknown.
absl::Status ToAbslStatus(const grpc::Status& status);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_STATUS_H_
