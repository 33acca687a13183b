// Creates channels to a server, in the same way for the whole client.

#ifndef QUANTD_CLIENT_LIBRARY_CHANNEL_H_
#define QUANTD_CLIENT_LIBRARY_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>

#include "client/library/connection_security.h"
#include "client/library/server_address.h"

namespace quantd::client {

enum class ChannelKind {
  // All channels of the process to the same address share a connection.
  kShared,
  // The channel has a connection of its own.
  kOwnConnection,
};

// Makes a channel for messages of any size. Opens its connection with the first call, and again
// whenever it broke. A name with several addresses gets calls round robin. A connection to this
// machine never goes through a proxy. gRPC makes no second try of a call: see Tries.
std::shared_ptr<grpc::Channel> CreateChannel(const ServerAddress& address,
                                             const ConnectionSecurity& security, ChannelKind kind);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CHANNEL_H_
