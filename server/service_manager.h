#ifndef QUANTD_SERVER_SERVICE_MANAGER_H_
#define QUANTD_SERVER_SERVICE_MANAGER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace quantd::server {

// What a service manager such as systemd is told: see sd_notify(3).
inline constexpr std::string_view kReady = "READY=1";
inline constexpr std::string_view kStopping = "STOPPING=1";

// Tells `state` to the service manager that listens on the unix socket `socket`,
// as it is in the environment variable NOTIFY_SOCKET: a path, or @ and an abstract
// name. Does nothing where it is empty.
//
// Errors: kInvalidArgument for a name that no socket has; kUnavailable where
// nobody listens there.
absl::Status NotifyServiceManager(const std::string& socket, std::string_view state);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_SERVICE_MANAGER_H_
