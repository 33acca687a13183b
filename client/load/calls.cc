#include "client/load/calls.h"

namespace quantd::client {

std::size_t ChooseChannel(std::span<const std::shared_ptr<grpc::Channel>> channels,
                          std::size_t first) {
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::size_t index = (first + i) % channels.size();
    if (channels[index]->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_TRANSIENT_FAILURE) {
      return index;
    }
  }
  return first % channels.size();
}

}  // namespace quantd::client
