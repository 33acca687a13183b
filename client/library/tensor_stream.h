// Calls with tensors in parts, over a stream.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "client/library/messages.h"
#include "client/library/tensor_call.h"
#include "client/library/tries.h"

namespace quantd::client {

struct TensorStreamOptions {
  // How long the server may take for its next answer.
  std::chrono::milliseconds timeout;
  // About how many bytes of tensors a message has.
  std::size_t message_bytes;
};

// Whether a call can be made in parts: a tensor without elements has none, a
// scalar has no shape with fewer elements, and parts have other data than the whole.
bool CanBeCut(const TensorCall& call);

// A call in parts. The first part has no elements, but all parameters, so that the server finds
// what is wrong about them as it does in one message. Those of blocks are checked here. A stream
// that breaks can be tried again, with another server as well: it goes on with the parts that have
// no answer yet.
class TensorStream {
 public:
  // CanBeCut(call), and CheckSizes() found no error. `call` outlives this.
  //
  // Errors: what is wrong about blocks.
  static absl::StatusOr<TensorStream> Make(const TensorCall& call,
                                           const TensorStreamOptions& options);

  ~TensorStream();
  TensorStream(TensorStream&& other) noexcept;
  TensorStream& operator=(TensorStream&& other) noexcept;

  // Sends all parts that have no answer yet. `authorization` is as in StreamCall. Calls `progress`,
  // unless it is null, on this thread. Not again after it has succeeded.
  //
  // Errors: those of RunStream(). Those of the server are as for the whole tensor: they do not name
  // a message of the stream.
  TryEnd Try(const std::string& authorization, const Progress& progress, grpc::GenericStub* stub);

  // How many elements have arrived.
  std::size_t elements_done() const;

  // When the next answer has to be there.
  std::chrono::steady_clock::time_point deadline() const;

  // The answer, after a successful try.
  AnswerParameters TakeAnswer();

 private:
  class Exchange;

  TensorStream(const TensorCall& call, const TensorStreamOptions& options,
               std::unique_ptr<Exchange> exchange);

  const TensorCall* call_;
  std::chrono::milliseconds timeout_;
  std::chrono::steady_clock::time_point last_answer_ = std::chrono::steady_clock::now();
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_
