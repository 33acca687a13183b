// The streams that a drain must end: those that would else wait for a client
// that has nothing to send.

#ifndef QUANTD_SERVER_CALLS_OPEN_STREAMS_H_
#define QUANTD_SERVER_CALLS_OPEN_STREAMS_H_

#include <chrono>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace quantd::server {

// Owns the streams that gRPC is not done with. All methods may be called from any
// thread, and from within EndIfQuietSince(). Must outlive the streams.
class OpenStreams {
 public:
  class Stream {
   public:
    // Ends the stream with SHUTTING_DOWN if no message is being worked on, and
    // none has come or gone since `time`. May come shortly after Remove().
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
  // Ends the life of `stream`, or leaves that to an EndQuietSince() under way.
  void Remove(Stream* stream);

  // Ends those that have been quiet since `time`.
  void EndQuietSince(std::chrono::steady_clock::time_point time);

 private:
  std::mutex mutex_;
  std::unordered_map<Stream*, std::shared_ptr<Stream>> streams_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_OPEN_STREAMS_H_
