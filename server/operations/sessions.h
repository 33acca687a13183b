// The session of each method.

#ifndef QUANTD_SERVER_OPERATIONS_SESSIONS_H_
#define QUANTD_SERVER_OPERATIONS_SESSIONS_H_

#include <memory>

#include "server/calls/session.h"
#include "server/operations/operation_session.h"
#include "server/settings/server_limits.h"
#include "wire/methods.h"

namespace quantd::server {

// Returns a session for a call of `method`. What `context` refers to must outlive
// it.
std::unique_ptr<Session> MakeSession(const wire::Method& method, const OperationContext& context,
                                     const ServerLimits& limits);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_SESSIONS_H_
