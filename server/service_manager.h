#ifndef QUANTD_SERVER_SERVICE_MANAGER_H_
#define QUANTD_SERVER_SERVICE_MANAGER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace quantd::server {

// States to report to a service manager such as systemd; see sd_notify(3).
inline constexpr std::string_view kReady = "READY=1";
inline constexpr std::string_view kStopping = "STOPPING=1";

// Reports `state` to the service manager that listens on the unix socket `socket`.
// `socket` has the form of the environment variable NOTIFY_SOCKET: a path, or @ and
// an abstract name. Does nothing if it is empty.
//
// Errors: kInvalidArgument if `socket` is not a valid name; kUnavailable if no
// process listens there.
absl::Status NotifyServiceManager(const std::string& socket, std::string_view state);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SERVICE_MANAGER_H_
