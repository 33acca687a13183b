// Checks access where nothing else counts and logs a call.

#ifndef QUANTD_SERVER_ACCESS_ACCESS_GUARD_H_
#define QUANTD_SERVER_ACCESS_ACCESS_GUARD_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "server/access/access_control.h"
#include "server/access/caller.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// Counts and logs whom it refuses, as ServedCall does for calls of QuantizationService.
// Thread-safe.
class AccessGuard {
 public:
  // All must outlive this.
  AccessGuard(const AccessControl* access_control, Metrics* metrics, Log* log)
      : access_control_(access_control), metrics_(metrics), log_(log) {}

  // Checks that whoever shows `credentials` may use `name`, kReflectionName or kMetricsName. `peer`
  // is the client's address, for the log.
  //
  // Errors: those of AccessControl::Admit().
  absl::Status Admit(const Credentials& credentials, std::string_view name,
                     const std::string& peer) const;

 private:
  const AccessControl* access_control_;
  Metrics* metrics_;
  Log* log_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_ACCESS_GUARD_H_
