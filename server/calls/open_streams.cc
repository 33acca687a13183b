#include "server/calls/open_streams.h"

#include <utility>
#include <vector>

namespace quantd::server {

void OpenStreams::Add(std::shared_ptr<Stream> stream) {
  Stream* const key = stream.get();
  const core::MutexLock lock(&mutex_);
  streams_.emplace(key, std::move(stream));
}

void OpenStreams::Remove(Stream* stream) {
  // Destroyed after the lock is released.
  std::unordered_map<Stream*, std::shared_ptr<Stream>>::node_type removed;
  const core::MutexLock lock(&mutex_);
  removed = streams_.extract(stream);
}

void OpenStreams::EndQuietSince(std::chrono::steady_clock::time_point time) {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    const core::MutexLock lock(&mutex_);
    for (const auto& [key, stream] : streams_) {
      streams.push_back(stream);
    }
  }
  // Without the lock: while gRPC ends a stream, it may begin or end others on this
  // thread.
  for (const std::shared_ptr<Stream>& stream : streams) {
    stream->EndIfQuietSince(time);
  }
}

}  // namespace quantd::server
