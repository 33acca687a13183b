#include "client/library/channel_choice.h"

namespace quantd::client {

std::size_t ChannelChoice::From(std::size_t first) const {
  std::size_t best = first % size();
  Clock::time_point least_avoided = Clock::time_point::max();
  if (size() == 1) {
    return best;
  }
  const Clock::time_point now = Clock::now();
  for (std::size_t i = 0; i < size() && least_avoided > now; ++i) {
    const std::size_t index = (first + i) % size();
    const Clock::time_point avoided_until = avoided_until_[index].load();
    if (avoided_until < least_avoided &&
        channels_[index]->GetState(/*try_to_connect=*/false) != GRPC_CHANNEL_TRANSIENT_FAILURE) {
      best = index;
      least_avoided = avoided_until;
    }
  }
  return best;
}

void ChannelChoice::NoteFailure(std::size_t index) {
  avoided_until_[index].store(Clock::now() + kAvoidance);
}

void ChannelChoice::NoteAnswer(std::size_t index) {
  // Mostly there is nothing to change, and threads would share the write.
  if (avoided_until_[index].load() != Clock::time_point()) {
    avoided_until_[index].store(Clock::time_point());
  }
}

}  // namespace quantd::client
