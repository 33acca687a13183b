// What a call knows from one message to the next.

#ifndef QUANTD_SERVER_CALLS_SESSION_H_
#define QUANTD_SERVER_CALLS_SESSION_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::server {

// Answers the messages of one call, of which a unary call has one. The session
// alone knows what a message means and what later messages inherit from it.
// Calls are accounted for without that knowledge: a message is weighed by its
// bytes before it is parsed, and by its meaning afterwards.
//
// For each message: WeightOf(), Decode(), Answer(), in this order. Not for use by
// two threads at once. The functions may throw std::bad_alloc.
class Session {
 public:
  Session() = default;
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Returns the bytes that the server holds for `request`, which is valid, until it is
  // decoded: its own, those that parsing it may allocate, and HeldBytes(), which it may
  // inherit.
  virtual std::uint64_t WeightOf(const grpc::ByteBuffer& request) const = 0;

  // Returns the bytes that the session keeps from one message to the next: parameters, and what
  // follows from them.
  virtual std::uint64_t HeldBytes() const = 0;

  // Returns about how many bytes are read or written to answer `request`, which is
  // valid, before it is parsed: those of the greater side, the request or its answer.
  virtual std::uint64_t WorkOf(const grpc::ByteBuffer& request) const = 0;

  // Parses and checks `request`. Returns the bytes that the server must hold to answer it,
  // now that its meaning is known: those of its tensors and of the answer's, those that the
  // computation allocates, and HeldBytes() afterwards. They may be fewer than WeightOf().
  virtual absl::StatusOr<std::uint64_t> Decode(const grpc::ByteBuffer& request) = 0;

  // Forgets the request that was decoded last, so that nothing is held for it; it may be
  // decoded again. What later requests inherit from it stays.
  virtual void Forget() = 0;

  // Computes the answer to the request that was decoded last. (gRPC's buffers are
  // not returned: they are copied where they should be moved.) Stops between the blocks of a
  // tensor once `is_cancelled` returns true, as core::Execution says; empty: never.
  //
  // Errors: kCancelled if it stopped.
  virtual absl::Status Answer(grpc::ByteBuffer* response, std::function<bool()> is_cancelled) = 0;

  // The same to the end.
  absl::Status Answer(grpc::ByteBuffer* response) { return Answer(response, {}); }
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_SESSION_H_
