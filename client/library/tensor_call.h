// A call with tensors, before it is known whether it is made in one message or in
// parts.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_CALL_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_CALL_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "client/library/client.h"
#include "client/library/messages.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"

namespace quantd::client {

// What is to be computed, and where the result goes. Does not own any of it.
struct TensorCall {
  // An index in wire::Operations.
  std::size_t operation;
  // Those of the operation, in their order.
  std::span<const TensorView> inputs;
  QuantizeParameters parameters;
  core::QuantizationSpec spec;
  // For the elements of the answer's tensor. Its type is that of the answer.
  core::OutputView output;

  // The number of elements of each tensor, once CheckSizes() found no error.
  std::size_t element_count() const { return output.element_count(); }

  // The size of the request's tensors and its parameters, or of the answer's tensor
  // if that is larger.
  std::size_t size_bytes() const;

  std::span<const std::int64_t> shape() const { return inputs.front().shape; }
};

// Checks what a server cannot, because it sees none of the tensors whole, or not
// the output: TENSOR_SIZE_MISMATCH if an input or the output has more or fewer
// elements than its shape says, or if a shape is not valid; SHAPE_MISMATCH if the
// inputs have different shapes; UNSUPPORTED_DATA_TYPE if the output is not of the
// type of the inputs, although the operation keeps it. Everything else is the server's
// to check. The fields are those of the request and the response.
absl::Status CheckSizes(const TensorCall& call);

// Checks all that the server will check except the values of the elements, with
// core's errors, which are the server's. Not for a DataRange.
absl::Status CheckAsServer(const TensorCall& call);

// Returns what a request says if the server knows nothing from an earlier one.
RequestParameters AllParameters(const TensorCall& call);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_CALL_H_
