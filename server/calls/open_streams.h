// The streams that a drain must end: those that would otherwise wait for a client
// that has nothing to send.

#ifndef QUANTD_SERVER_CALLS_OPEN_STREAMS_H_
#define QUANTD_SERVER_CALLS_OPEN_STREAMS_H_

#include <chrono>
#include <memory>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace quantd::server {

// Owns the streams that gRPC still uses. Thread-safe; functions may be called from
// within EndIfQuietSince(). Must outlive the streams.
class OpenStreams {
 public:
  class Stream {
   public:
    // Ends the stream with SHUTTING_DOWN if no message is being worked on and none
    // has been received or sent since `time`. May be called shortly after Remove().
    virtual void EndIfQuietSince(std::chrono::steady_clock::time_point time) = 0;

   protected:
    Stream() = default;
    Stream(const Stream&) = default;
    Stream& operator=(const Stream&) = default;
    ~Stream() = default;
  };

  OpenStreams() = default;
  OpenStreams(const OpenStreams&) = delete;
  OpenStreams& operator=(const OpenStreams&) = delete;

  void Add(std::shared_ptr<Stream> stream);
  // Destroys `stream`, or leaves that to a running EndQuietSince().
  void Remove(Stream* stream);

  // Ends the streams that have been quiet since `time`.
  void EndQuietSince(std::chrono::steady_clock::time_point time);

 private:
  core::Mutex mutex_;
  std::unordered_map<Stream*, std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_OPEN_STREAMS_H_
