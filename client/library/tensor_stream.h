// Calls with a tensor in parts, over a stream.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "core/quantization.h"

namespace quantd::client {

struct TensorStreamOptions {
  grpc::GenericStub& stub;
  // See RunStream().
  std::chrono::milliseconds timeout;
  // About how many bytes of tensors a message has.
  std::size_t message_bytes;
};

// The same as Client's methods. The tensors have at least one element; `output`
// and `input_gradients` have as many as they.
//
// Errors: those of RunStream(); what core finds wrong about the arguments, with
// the details that a server gives, before anything is sent.
absl::StatusOr<core::NudgedRange> StreamFakeQuantize(
    const TensorStreamOptions& options, const TensorView& input, const core::Range& range,
    const core::QuantizationSpec& spec, std::span<float> output, const Progress& progress);
absl::StatusOr<RangeGradients> StreamFakeQuantizeGradient(
    const TensorStreamOptions& options, const TensorView& gradients, const TensorView& inputs,
    const core::Range& range, const core::QuantizationSpec& spec, std::span<float> input_gradients,
    const Progress& progress);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_STREAM_H_
