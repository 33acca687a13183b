#include "server/telemetry/call_log.h"

#include "core/base/error.h"
#include "server/telemetry/code_name.h"

namespace quantd::server {
LogLevel CallLogLevel(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return LogLevel::kDebug;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return LogLevel::kError;
    default:
      return LogLevel::kWarning;
  }
}

void LogCall(Log& log, const CallRecord& call) {
  const LogLevel level = CallLogLevel(call.status.code());
  if (!log.Writes(level)) {
    return;
  }
  const LogField method{"method", std::string(call.method)};
  const LogField code{"code", std::string(CodeName(call.status.code()))};
  const LogField peer{"peer", call.peer};
  const LogField caller{"caller", call.caller};
  const LogField bytes{"request_bytes", static_cast<std::int64_t>(call.request_bytes)};
  const LogField seconds{"seconds", call.duration.count()};
  if (call.status.ok()) {
    log.Write(level, "call", {method, code, peer, caller, bytes, seconds});
    return;
  }
  const core::ErrorDetail detail = core::GetErrorDetail(call.status).value_or(core::ErrorDetail{});
  log.WriteLimited(level, "call failed", {method, code, {"reason", detail.reason}},
                   {{"field", detail.field},
                    {"message", std::string(call.status.message())},
                    peer,
                    caller,
                    bytes,
                    seconds});
}

}  // namespace quantd::server
