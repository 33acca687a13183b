// Calls with tensors in parts, over a stream.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <cstddef>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/messages.h"
#include "client/library/tensor_call.h"

namespace quantd::client {

struct TensorStreamOptions {
  // See RunStream().
  std::chrono::milliseconds timeout;
  // About how many bytes of tensors a message has.
  std::size_t message_bytes;
};

// Whether a call can be made in parts: a tensor without elements has none, a
// scalar has no shape with fewer elements, and parts have other data than the whole.
bool CanBeCut(const TensorCall& call);

// Makes a call in parts: CanBeCut(), and CheckSizes() found no error. The first
// part has no elements, but all parameters, so that the server finds what is
// wrong about them as it does in one message. Those of blocks are checked here.
//
// Errors: those of RunStream(). Those of the server are as for the whole tensor:
// they do not name a message of the stream.
absl::StatusOr<AnswerParameters> RunTensorStream(const TensorCall& call,
                                                 const TensorStreamOptions& options,
                                                 const Progress& progress, grpc::GenericStub* stub);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_
