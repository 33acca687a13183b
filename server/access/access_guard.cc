#include "server/access/access_guard.h"

#include "server/telemetry/call_log.h"

namespace quantd::server {

absl::Status AccessGuard::Admit(const Credentials& credentials, std::string_view name,
                                const std::string& peer) const {
  Caller caller;
  absl::Status status = access_control_->Admit(credentials, name, caller);
  if (!status.ok()) {
    metrics_->AccessDenied(status);
    LogCall(*log_, {.method = name,
                    .status = status,
                    .peer = peer,
                    .caller = caller.Name(),
                    .request_bytes = 0,
                    .duration = {}});
  }
  return status;
}

}  // namespace quantd::server
