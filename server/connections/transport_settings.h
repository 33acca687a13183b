// What gRPC is told about connections.

#ifndef QUANTD_SERVER_CONNECTIONS_TRANSPORT_SETTINGS_H_
#define QUANTD_SERVER_CONNECTIONS_TRANSPORT_SETTINGS_H_

#include <grpcpp/server_builder.h>

#include "server/settings/options.h"

namespace quantd::server {

// Limits what a connection may cost: how long it may be silent, idle or dead, how old it
// may become, how many calls it may carry, and how large headers may be. Refuses compressed
// messages.
void ConfigureTransport(const Options& options, grpc::ServerBuilder& builder);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_TRANSPORT_SETTINGS_H_
