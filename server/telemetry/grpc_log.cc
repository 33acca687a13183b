#include "server/telemetry/grpc_log.h"

#include <grpc/support/log.h>

#include <cassert>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace quantd::server {
namespace {

struct Target {
  core::Mutex mutex;
  Log* log ABSL_GUARDED_BY(mutex) = nullptr;
};

// gRPC calls a plain function, so where that one writes has to be global. gRPC's threads can
// outlive main(), and this outlives them, because it needs no destructor.
constinit Target global_target;
static_assert(std::is_trivially_destructible_v<Target>);

// A client that speaks no TLS, or shows a certificate that is not accepted, is no fault of the
// server.
constexpr std::string_view kHandshakeFailure = "Handshake failed";

LogLevel LevelOf(gpr_log_severity severity, std::string_view message) {
  if (message.starts_with(kHandshakeFailure)) {
    return LogLevel::kInfo;
  }
  switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG:
      return LogLevel::kDebug;
    case GPR_LOG_SEVERITY_INFO:
      return LogLevel::kInfo;
    case GPR_LOG_SEVERITY_ERROR:
      break;
  }
  return LogLevel::kError;
}

void WriteLine(gpr_log_func_args* line) {
  const core::MutexLock lock(&global_target.mutex);
  if (global_target.log != nullptr) {
    global_target.log->WriteLimited(
        LevelOf(line->severity, line->message), "gRPC",
        {{"file", std::string(line->file)}, {"line", std::int64_t{line->line}}},
        {{"message", std::string(line->message)}});
  }
}

}  // namespace

GrpcLog::GrpcLog(Log* log) {
  {
    const core::MutexLock lock(&global_target.mutex);
    assert(global_target.log == nullptr);
    global_target.log = log;
  }
  gpr_set_log_function(WriteLine);
}

GrpcLog::~GrpcLog() {
  const core::MutexLock lock(&global_target.mutex);
  global_target.log = nullptr;
}

}  // namespace quantd::server
