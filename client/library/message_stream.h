// A bidirectional stream of messages.

#ifndef QUANTD_CLIENT_LIBRARY_MESSAGE_STREAM_H_
#define QUANTD_CLIENT_LIBRARY_MESSAGE_STREAM_H_

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/tries.h"

namespace quantd::client {

// What is sent over a stream, and what is done with the answers. Two threads use
// the two directions at the same time, one thread per direction.
class StreamExchange {
 public:
  StreamExchange() = default;
  virtual ~StreamExchange() = default;
  StreamExchange(const StreamExchange&) = delete;
  StreamExchange& operator=(const StreamExchange&) = delete;

  // Returns the next request, or nullopt after the last one. Called when the transport
  // has taken the request before. An error ends the stream.
  virtual absl::StatusOr<std::optional<grpc::ByteBuffer>> NextRequest() = 0;

  // Takes the next answer. An error ends the stream.
  virtual absl::Status TakeResponse(const grpc::ByteBuffer& response) = 0;

  // Returns OK if all answers have been taken. Called after the server ended the
  // stream without an error.
  virtual absl::Status CheckComplete() const = 0;
};

struct StreamCall {
  // "/package.Service/Method"
  std::string method;
  // The value of the header of this name; empty: none.
  std::string authorization = {};
  std::chrono::milliseconds timeout;
  // When the last answer arrived, or waiting for the first one began; of an earlier stream if this
  // one goes on with it. Is kept up to date.
  std::chrono::steady_clock::time_point* last_answer;
};

// Makes `call` and returns when the stream has ended. Holds one message of each direction, besides
// those that gRPC's flow control allows to be on their way.
//
// This thread calls `on_response`, unless it is null, while answers arrive.
//
// Errors: those of `exchange`; the server's (see wire::ToAbslStatus()); kDeadlineExceeded if the
// server has not answered for `timeout`.
TryEnd RunStream(const StreamCall& call, const std::function<void()>& on_response,
                 StreamExchange* exchange, grpc::GenericStub* stub);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_MESSAGE_STREAM_H_
