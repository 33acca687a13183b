// Creates channels to a server, in the same way for the whole client.

#ifndef QUANTD_CLIENT_LIBRARY_CHANNEL_H_
#define QUANTD_CLIENT_LIBRARY_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace quantd::client {

enum class ChannelKind {
  // All channels of the process to the same address share a connection.
  kShared,
  // The channel has a connection of its own.
  kOwnConnection,
};

// Makes a channel to HOST:PORT or unix:PATH for messages of any size. Opens its
// connection with the first call.
std::shared_ptr<grpc::Channel> CreateChannel(const std::string& address, ChannelKind kind);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_CHANNEL_H_
