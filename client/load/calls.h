// Makes calls and reports how they end.

#ifndef QUANTD_CLIENT_LOAD_CALLS_H_
#define QUANTD_CLIENT_LOAD_CALLS_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "client/load/request.h"

namespace quantd::client {

// Makes calls in numbered places, starting from 0. Each place is used for one call
// after another.
class Calls {
 public:
  // How a call went.
  struct End {
    // When gRPC got it.
    std::chrono::steady_clock::time_point sent;
    std::chrono::steady_clock::time_point ended;
    const grpc::Status& status;
    // Of any value unless the status is OK.
    const grpc::ByteBuffer& answer;
  };

  // Is called when a call ends, by one of gRPC's threads: must not block. May start
  // the next call in this place.
  class Listener {
   public:
    Listener() = default;
    virtual ~Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    virtual void CallEnded(std::size_t place, const End& end) = 0;
  };

  Calls() = default;
  // All calls must have ended.
  virtual ~Calls() = default;
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Starts a call in a place that is free, and returns at once. `request` outlives
  // the call. Several threads may start calls in different places. The call uses channel
  // place + shift modulo their number, or the next one if that could not connect lately.
  virtual void Start(std::size_t place, const Request& request, std::size_t shift) = 0;

  // Ends all calls that are under way, or are started later, with an error.
  virtual void Cancel() = 0;

  // How many calls were made again so far.
  virtual std::uint64_t retries() const { return 0; }
};

struct CallsOptions {
  // At least one.
  std::span<const std::shared_ptr<grpc::Channel>> channels;
  std::size_t places = 1;
  // "/package.Service/Method"
  std::string method;
  // The value of the header of this name; empty: none.
  std::string authorization = {};
  // How long a unary call may take, and how long a stream without calls under way
  // may take to end.
  std::chrono::milliseconds timeout;
};

// Returns the index of the channel that Calls::Start() describes.
std::size_t ChooseChannel(std::span<const std::shared_ptr<grpc::Channel>> channels,
                          std::size_t first);

// Makes calls of one message. `listener` outlives them.
std::unique_ptr<Calls> MakeUnaryCalls(const CallsOptions& options, Calls::Listener& listener);

// Makes calls that are messages of streams, one stream per channel: an answer ends
// a call. A stream that breaks ends its calls with its status, and the next call
// opens another stream. These calls have no time limit of their own.
std::unique_ptr<Calls> MakeStreamCalls(const CallsOptions& options, Calls::Listener& listener);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_CALLS_H_
