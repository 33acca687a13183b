// A call with tensors, before it is known whether it is made in one message or in
// parts.

#ifndef QUANTD_CLIENT_LIBRARY_TENSOR_CALL_H_
#define QUANTD_CLIENT_LIBRARY_TENSOR_CALL_H_

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "client/library/client.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"

namespace quantd::client {

// What is to be computed, and where the result goes. Does not own any of it.
struct TensorCall {
  // An index in wire::Operations.
  std::size_t operation;
  // Those of the operation, in their order.
  std::span<const TensorView> inputs;
  core::Range range;
  core::QuantizationSpec spec;
  // For the elements of the answer's tensor.
  core::OutputView output;

  // The number of elements of each tensor, once CheckSizes() found no error.
  std::size_t element_count() const { return output.element_count(); }

  // The size of the inputs and of the range.
  std::size_t size_bytes() const;
};

// Checks what a server cannot, because it sees none of the tensors whole, or not
// the output: TENSOR_SIZE_MISMATCH if an input or the output has more or fewer
// elements than its shape says, or if a shape is not valid; SHAPE_MISMATCH if the
// inputs have different shapes. Everything else is the server's to check. The
// fields are those of the request and the response.
absl::Status CheckSizes(const TensorCall& call);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_TENSOR_CALL_H_
