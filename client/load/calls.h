// Calls that are under way, and how they end.

#ifndef QUANTD_CLIENT_LOAD_CALLS_H_
#define QUANTD_CLIENT_LOAD_CALLS_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "client/load/request.h"

namespace quantd::client {

// Places for calls, numbered from 0: each is used for one call after another.
class Calls {
 public:
  // How a call went.
  struct End {
    // When it was handed to gRPC.
    std::chrono::steady_clock::time_point sent;
    std::chrono::steady_clock::time_point ended;
    const grpc::Status& status;
    // Where the status is OK.
    const grpc::ByteBuffer& answer;
  };

  // Told when a call ends, by one of gRPC's threads: must not block. May start
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
  // All calls have ended.
  virtual ~Calls() = default;
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  // Starts a call in a place that is free, and returns at once. `request` is
  // there until the call has ended. Several threads may start calls in different
  // places.
  virtual void Start(std::size_t place, const Request& request) = 0;

  // Ends the calls that are under way, and those that are started later, with an
  // error.
  virtual void Cancel() = 0;
};

struct CallsOptions {
  // Place p uses channel p modulo their number. At least one.
  std::span<const std::shared_ptr<grpc::Channel>> channels;
  std::size_t places = 1;
  // "/package.Service/Method"
  std::string method;
  // How long a unary call may take, or a stream without calls under way to end.
  std::chrono::milliseconds timeout;
};

// Calls of one message. `listener` outlives them.
std::unique_ptr<Calls> MakeUnaryCalls(const CallsOptions& options, Calls::Listener& listener);

// Messages of streams, one stream a channel, where an answer ends what is called
// a call here. A stream that breaks ends its calls with its status; the next
// call starts another one. These calls have no time limit of their own.
std::unique_ptr<Calls> MakeStreamCalls(const CallsOptions& options, Calls::Listener& listener);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_CALLS_H_
