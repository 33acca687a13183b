// What differs between the operations, for OperationSession.

#ifndef QUANTD_SERVER_OPERATIONS_IMPLEMENTATION_H_
#define QUANTD_SERVER_OPERATIONS_IMPLEMENTATION_H_

#include <span>

#include "absl/status/status.h"
#include "core/base/tensor_view.h"
#include "core/execution.h"
#include "wire/methods.h"

namespace quantd::server {

// A computation that is ready to run.
struct ComputeArguments {
  // Checked, in the order of the operation's kInputs.
  std::span<const core::TensorView> inputs;
  // Of the shape of the inputs.
  core::OutputView output;
  const core::Execution& execution;
};

// Each operation has a file with a specialization:
//
//   template <>
//   struct Implementation<wire::Example> {
//     // The checked parameters of a request, without its tensors. Has
//     // CheckShape(shape), WorkingBytes(shape), channel_count() and numerics().
//     using Plan = core::Example;
//
//     // How many times larger than its request an answer usually is, rounded up.
//     static constexpr std::uint64_t kTypicalGrowth = 1;
//
//     // The most bytes that a range or a scale takes until the answer is computed, of any
//     // type of tensor: parsed, in its plan, and in the answer. tests/e2e/costly_messages_test.py
//     // measures them.
//     static constexpr std::uint64_t kBytesPerChannel = 100;
//
//     // Makes the plan of a request. It depends on the tensors if there is a data
//     // range.
//     static absl::StatusOr<Plan> MakePlan(const DecodedRequest& request,
//                                          const core::Execution& execution);
//
//     // Sets all fields of `rest` but the output tensor and the numerics: those that
//     // follow from the plan to their values, the others to values that are encoded in
//     // as many bytes. Called once for all messages with one plan.
//     static void Prepare(const Plan& plan, wire::Transfer transfer, Response& rest);
//
//     // Writes the output, and those fields of `rest` that depend on the inputs.
//     static absl::Status Compute(const Plan& plan, const ComputeArguments& arguments,
//                                 Response& rest);
//   };
template <typename Operation>
struct Implementation;

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_IMPLEMENTATION_H_
