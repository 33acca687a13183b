// The names of status codes in metrics and logs.

#ifndef QUANTD_SERVER_TELEMETRY_CODE_NAME_H_
#define QUANTD_SERVER_TELEMETRY_CODE_NAME_H_

#include <array>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace quantd::server {

// The names of gRPC's status codes, indexed by number. The spelling is Go's, which
// dashboards for gRPC expect.
inline constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

// Returns the index of `code` in kCodeNames, or the index of "Unknown" for a code
// that gRPC does not have.
constexpr std::size_t CodeIndex(absl::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodeNames.size() ? index : static_cast<std::size_t>(absl::StatusCode::kUnknown);
}

constexpr std::string_view CodeName(absl::StatusCode code) { return kCodeNames[CodeIndex(code)]; }

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_CODE_NAME_H_
