// What gRPC knows of a caller.

#ifndef QUANTD_SERVER_ACCESS_CALL_CREDENTIALS_H_
#define QUANTD_SERVER_ACCESS_CALL_CREDENTIALS_H_

#include <grpcpp/server_context.h>

#include "server/access/caller.h"

namespace quantd::server {

// Returns what the call of `context` shows, once its headers have arrived.
Credentials CredentialsOf(const grpc::ServerContextBase& context);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_CALL_CREDENTIALS_H_
