// A stream of messages, both ways at once.

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

namespace quantd::client {

// What is sent over a stream, and what is done with the answers. The two
// directions are used by two threads at once, each by one at a time.
class StreamedCall {
 public:
  StreamedCall() = default;
  virtual ~StreamedCall() = default;
  StreamedCall(const StreamedCall&) = delete;
  StreamedCall& operator=(const StreamedCall&) = delete;

  // The next request, or nothing after the last. Called when the transport has
  // taken the one before. An error ends the stream.
  virtual absl::StatusOr<std::optional<grpc::ByteBuffer>> NextRequest() = 0;

  // Takes the next answer. An error ends the stream.
  virtual absl::Status TakeResponse(const grpc::ByteBuffer& response) = 0;

  // Whether all answers have been taken: called after the server ended the
  // stream without an error.
  virtual absl::Status CheckComplete() const = 0;
};

// Calls `method` ("/package.Service/Method") and returns when the stream has
// ended. Holds one message of each direction; besides these there are those
// that gRPC's flow control lets be on their way.
//
// `on_response`, unless null, is called by this thread while answers come in.
//
// Errors: those of `call`; the server's (see ToAbslStatus()); kDeadlineExceeded
// where the server has not answered, since the start or since its last answer,
// for `timeout`.
absl::Status RunStream(grpc::GenericStub& stub, const std::string& method, StreamedCall& call,
                       std::chrono::milliseconds timeout, const std::function<void()>& on_response);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_MESSAGE_STREAM_H_
