#include "client/library/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "wire/socket_buffers.h"

namespace quantd::client {

std::shared_ptr<grpc::Channel> CreateChannel(const std::string& address, ChannelKind kind) {
  grpc::ChannelArguments arguments;
  // Only the server limits the size of messages.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  wire::EnlargeSocketBuffers(arguments);
  if (kind == ChannelKind::kOwnConnection) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  }
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace quantd::client
