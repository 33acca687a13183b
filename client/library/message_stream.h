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

namespace quantd::client {

// Produces the requests of a stream and consumes its answers. NextRequest() and
// TakeResponse() may be called concurrently with each other, but neither is called
// concurrently with itself.
class StreamedCall {
 public:
  StreamedCall() = default;
  virtual ~StreamedCall() = default;
  StreamedCall(const StreamedCall&) = delete;
  StreamedCall& operator=(const StreamedCall&) = delete;

  // Returns the next request, or nullopt after the last one. Called when the transport
  // has taken the request before. An error ends the stream.
  virtual absl::StatusOr<std::optional<grpc::ByteBuffer>> NextRequest() = 0;

  // Takes the next answer. An error ends the stream.
  virtual absl::Status TakeResponse(const grpc::ByteBuffer& response) = 0;

  // Checks that all answers have arrived. Called after the server has ended the stream
  // without an error.
  virtual absl::Status CheckComplete() const = 0;
};

// Calls `method` ("/package.Service/Method") and returns when the stream has ended.
// Holds one message per direction in memory, in addition to those that gRPC's flow
// control allows in transit.
//
// `on_response`, unless null, is called on the calling thread while answers arrive.
//
// Errors: those of `call`; the server's (see ToAbslStatus()); kDeadlineExceeded if the
// server sends no answer for `timeout`, measured from the start or from its last
// answer.
absl::Status RunStream(grpc::GenericStub& stub, const std::string& method, StreamedCall& call,
                       std::chrono::milliseconds timeout, const std::function<void()>& on_response);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_MESSAGE_STREAM_H_
