// The answer that a call must get, computed by core's reference.

#ifndef QUANTD_CLIENT_LOAD_EXPECTED_ANSWER_H_
#define QUANTD_CLIENT_LOAD_EXPECTED_ANSWER_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/elements.h"
#include "client/library/messages.h"
#include "client/library/tensor_call.h"

namespace quantd::client {

// Immutable, and safe to use from several threads at once.
class ExpectedAnswer {
 public:
  // `inputs` are the elements of call.inputs, whose output is nowhere to write to. The
  // parameters are not a DataRange.
  //
  // Errors: those of CheckAsServer(), and INVALID_VALUE for NaN that has no code.
  static absl::StatusOr<std::shared_ptr<const ExpectedAnswer>> Compute(
      const TensorCall& call, std::span<const Elements* const> inputs);

  // Compares an answer with the reference: elements by their bits (any NaN equals
  // any other), sums of gradients to one float32 ulp of the exact ones.
  //
  // Errors: kDataLoss with the first element that differs; kInternal for an
  // answer that does not fit the request.
  absl::Status Check(const grpc::ByteBuffer& answer) const;

 private:
  ExpectedAnswer() = default;

  // Compute `output_` and `parameters_`.
  absl::Status FakeQuantize(const TensorCall& call, const Elements& input);
  absl::Status FakeQuantizeGradient(const TensorCall& call, const Elements& gradients,
                                    const Elements& inputs);
  absl::Status Quantize(const TensorCall& call, const Elements& input);
  absl::Status Dequantize(const TensorCall& call, const Elements& codes);

  std::size_t operation_ = 0;
  // The name of the answer's tensor.
  std::string_view field_;
  AnswerExpectation expectation_;
  Elements output_;
  AnswerParameters parameters_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_EXPECTED_ANSWER_H_
