#include "client/library/servers.h"

#include <utility>
#include <vector>

#include "client/library/channel.h"

namespace quantd::client {

Server::Server(ServerAddress server_address, std::shared_ptr<grpc::Channel> server_channel)
    : address(std::move(server_address)),
      channel(std::move(server_channel)),
      quantization(v1::QuantizationService::NewStub(channel)),
      health(grpc::health::v1::Health::NewStub(channel)),
      bytes(std::make_unique<grpc::GenericStub>(channel)) {}

Servers::Servers(std::span<const ServerAddress> addresses, const ConnectionSecurity& security) {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (const ServerAddress& address : addresses) {
    channels.push_back(CreateChannel(address, security, ChannelKind::kShared));
    servers_.emplace_back(address, channels.back());
  }
  choice_.emplace(std::move(channels));
}

}  // namespace quantd::client
