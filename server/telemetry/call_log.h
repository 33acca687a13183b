// One log line per call.

#ifndef QUANTD_SERVER_TELEMETRY_CALL_LOG_H_
#define QUANTD_SERVER_TELEMETRY_CALL_LOG_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/telemetry/log.h"

namespace quantd::server {

// What is known of a call when it ends. Nothing of its tensors.
struct CallRecord {
  // The name of the method.
  std::string_view method;
  absl::Status status;
  // Who called, as gRPC names it: "ipv4:127.0.0.1:41234".
  std::string peer;
  std::uint64_t request_bytes = 0;
  std::chrono::duration<double> duration{};
};

// The level at which LogCall() writes a call that ended with `code`: debug for
// a success, error for a fault of the server, warning for any other failure.
LogLevel CallLogLevel(absl::StatusCode code);

// Writes a line with method, code, peer, request_bytes, seconds and, for a
// failure, reason, field and message.
void LogCall(Log& log, const CallRecord& call);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_TELEMETRY_CALL_LOG_H_
