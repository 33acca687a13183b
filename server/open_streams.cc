#include "server/open_streams.h"

namespace quantd::server {

void OpenStreams::Add(Stream* stream) {
  const std::lock_guard lock(mutex_);
  streams_.insert(stream);
}

void OpenStreams::Remove(Stream* stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

void OpenStreams::EndQuietSince(std::chrono::steady_clock::time_point time) {
  // With the lock held, so that none ends its life meanwhile.
  const std::lock_guard lock(mutex_);
  for (Stream* const stream : streams_) {
    stream->EndIfQuietSince(time);
  }
}

}  // namespace quantd::server
