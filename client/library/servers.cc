#include "client/library/servers.h"

#include <utility>

#include "client/library/channel.h"

namespace quantd::client {

Server::Server(ServerAddress server_address, std::shared_ptr<grpc::Channel> server_channel)
    : address(std::move(server_address)),
      channel(std::move(server_channel)),
      quantization(v1::QuantizationService::NewStub(channel)),
      health(grpc::health::v1::Health::NewStub(channel)),
      bytes(std::make_unique<grpc::GenericStub>(channel)) {}

Servers::Servers(std::span<const ServerAddress> addresses, const ConnectionSecurity& security) {
  for (const ServerAddress& address : addresses) {
    servers_.emplace_back(address, CreateChannel(address, security, ChannelKind::kShared));
  }
}

std::size_t Servers::ReachableFrom(std::size_t first) const {
  for (std::size_t i = 0; i < size(); ++i) {
    const std::size_t index = (first + i) % size();
    if (servers_[index].channel->GetState(/*try_to_connect=*/false) !=
        GRPC_CHANNEL_TRANSIENT_FAILURE) {
      return index;
    }
  }
  return first % size();
}

}  // namespace quantd::client
