// Logs calls, one line per call.

#ifndef QUANTD_SERVER_TELEMETRY_CALL_LOG_H_
#define QUANTD_SERVER_TELEMETRY_CALL_LOG_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/telemetry/log.h"

namespace quantd::server {

// Describes a call that has ended. Contains nothing from its tensors.
struct CallRecord {
  // The name of the method.
  std::string_view method;
  absl::Status status;
  // The caller, as gRPC names it: "ipv4:127.0.0.1:41234".
  std::string peer;
  // Who it is, as Caller::Name() says.
  std::string caller = "anonymous";
  std::uint64_t request_bytes = 0;
  std::chrono::duration<double> duration{};
};

// Returns the level at which LogCall() logs a call that ended with `code`: debug
// for success, error for a fault of the server, warning for any other failure.
LogLevel CallLogLevel(absl::StatusCode code);

// Logs one line with method, code, peer, caller, request_bytes, seconds and, if the
// call failed, reason, field and message. Failures with the same method, code and reason
// that are too many are summed up (Log::WriteLimited()).
void LogCall(Log& log, const CallRecord& call);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_CALL_LOG_H_
