#include "client/library/channel_choice.h"

namespace quantd::client {

std::size_t ChannelChoice::From(std::size_t first) const {
  if (size() > 1) {
    const Clock::time_point now = Clock::now();
    for (std::size_t i = 0; i < size(); ++i) {
      const std::size_t index = (first + i) % size();
      if (avoided_until_[index].load() <= now &&
          channels_[index]->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_TRANSIENT_FAILURE) {
        return index;
      }
    }
  }
  return first % size();
}

void ChannelChoice::NoteFailure(std::size_t index) {
  avoided_until_[index].store(Clock::now() + kAvoidance);
}

}  // namespace quantd::client
