// The streams that a drain must end: those that would else wait for a client
// that has nothing to send.

#ifndef QUANTD_SERVER_OPEN_STREAMS_H_
#define QUANTD_SERVER_OPEN_STREAMS_H_

#include <chrono>
#include <mutex>
#include <unordered_set>

namespace quantd::server {

// Knows the streams that live. All methods may be called from any thread. Must
// outlive the streams.
class OpenStreams {
 public:
  class Stream {
   public:
    // Ends the stream with SHUTTING_DOWN if no message is being worked on, and
    // none has come or gone since `time`. Must not wait for its own Remove().
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

  // `stream` lives until it is removed.
  void Add(Stream* stream);
  void Remove(Stream* stream);

  // Ends those that have been quiet since `time`.
  void EndQuietSince(std::chrono::steady_clock::time_point time);

 private:
  std::mutex mutex_;
  std::unordered_set<Stream*> streams_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPEN_STREAMS_H_
