// The messages of any operation: parsed, checked, computed, encoded.

#ifndef QUANTD_SERVER_OPERATIONS_OPERATION_SESSION_H_
#define QUANTD_SERVER_OPERATIONS_OPERATION_SESSION_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/base/status_macros.h"
#include "core/execution.h"
#include "core/worker_pool.h"
#include "server/calls/session.h"
#include "server/operations/codec.h"
#include "server/operations/implementation.h"
#include "server/operations/inherited_settings.h"
#include "server/telemetry/metrics.h"
#include "wire/methods.h"
#include "wire/numerics.h"
#include "wire/operations.h"
#include "wire/outgoing_tensor.h"
#include "wire/received_message.h"

namespace quantd::server {

// What operations work with. Owns nothing.
struct OperationContext {
  // Large tensors are split over it.
  core::WorkerPool* pool;
  // Counts elements, bytes and kernel times.
  Metrics* metrics;
};

// A session of `Operation`. A request inherits what it leaves out from the request
// before it, and with all of it the plan: nothing is checked or prepared again.
template <typename Operation>
class OperationSession final : public Session {
 public:
  OperationSession(const OperationContext& context, wire::Transfer transfer)
      : context_(context), transfer_(transfer) {}

  std::uint64_t WeightOf(const grpc::ByteBuffer& request) const override {
    return request.Length() + Received::ParsingBytes(request) + HeldBytes();
  }

  std::uint64_t HeldBytes() const override {
    return plan_.has_value() ? BytesOfChannels(plan_->channel_count()) : 0;
  }

  std::uint64_t WorkOf(const grpc::ByteBuffer& request) const override {
    return request.Length() * Implementation<Operation>::kTypicalGrowth +
           inherited_.parameter_bytes();
  }

  // Errors: MALFORMED_MESSAGE; those of server::Decode() and CheckShape(), and those of
  // MakePlan(), which Answer() has if the plan follows from the data. Allocates nothing
  // in proportion to the output.
  absl::StatusOr<std::uint64_t> Decode(const grpc::ByteBuffer& request) override {
    ASSIGN_OR_RETURN(Received received, Received::Parse(request));
    const bool has_new_settings = inherited_.Take(received.mutable_message());
    received_.emplace(std::move(received));
    ASSIGN_OR_RETURN(request_,
                     server::Decode<Operation>(*received_, inherited_.settings(), transfer_));
    if (!request_.settings.data_range.has_value()) {
      if (has_new_settings || !HasPlanForTypes()) {
        RETURN_IF_ERROR(MakePlan(context_.pool));
      }
      RETURN_IF_ERROR(plan_->CheckShape(request_.inputs.front().shape));
    }
    return InputBytes() + OutputBytes() + ParameterBytes();
  }

  void Forget() override {
    request_ = {};
    received_.reset();
    if (transfer_ == wire::Transfer::kUnary) {
      inherited_ = {};
      plan_.reset();
      rest_.Clear();
    }
  }

  using Session::Answer;

  // Errors: kCancelled; MESSAGE_TOO_LARGE if the answer would exceed 2 GiB; those of the kernels,
  // such as INVALID_VALUE.
  absl::Status Answer(grpc::ByteBuffer* response, std::function<bool()> is_cancelled) override {
    assert(received_.has_value());
    const core::Execution execution(context_.pool, std::move(is_cancelled));
    absl::Status status = ComputeAnswer(execution, response);
    // The client may take its time to read the answer.
    request_ = {};
    received_.reset();
    if (transfer_ == wire::Transfer::kUnary) {
      plan_.reset();
      rest_ = {};
    }
    return status;
  }

 private:
  using Received = wire::ReceivedMessage<typename Operation::Request>;
  using Plan = typename Implementation<Operation>::Plan;

  absl::Status ComputeAnswer(const core::Execution& execution, grpc::ByteBuffer* response) {
    const auto start = std::chrono::steady_clock::now();
    if (request_.settings.data_range.has_value()) {
      RETURN_IF_ERROR(MakePlan(execution));
    }
    const auto planning = std::chrono::steady_clock::now() - start;
    ASSIGN_OR_RETURN(wire::OutgoingTensor answer,
                     wire::OutgoingTensor::Create({.field_number = Operation::kOutput.number,
                                                   .type = request_.types.output,
                                                   .shape = request_.inputs.front().shape,
                                                   .element_count = request_.element_count},
                                                  rest_));
    RETURN_IF_ERROR(Compute(answer.elements(), execution, planning));
    answer.EncodeRest(rest_);
    const grpc::Slice slice = std::move(answer).ToSlice();
    grpc::ByteBuffer(&slice, 1).Swap(response);
    return absl::OkStatus();
  }

  bool HasPlanForTypes() const {
    return plan_.has_value() && plan_types_.input == request_.types.input &&
           plan_types_.output == request_.types.output;
  }

  absl::Status MakePlan(const core::Execution& execution) {
    ASSIGN_OR_RETURN(Plan plan, Implementation<Operation>::MakePlan(request_, execution));
    plan_.emplace(std::move(plan));
    plan_types_ = request_.types;
    rest_.Clear();
    rest_.set_numerics(wire::ToSchema(plan_->numerics()));
    Implementation<Operation>::Prepare(*plan_, transfer_, rest_);
    if (transfer_ == wire::Transfer::kUnary) {
      // No other message inherits them.
      request_.settings.parameters = {};
      inherited_ = {};
    }
    return absl::OkStatus();
  }

  static std::uint64_t BytesOfChannels(std::uint64_t count) {
    constexpr std::uint64_t kBytes = Implementation<Operation>::kBytesPerChannel;
    // A shape without elements may have more channels than would fit into memory.
    return std::min(count, std::numeric_limits<std::uint32_t>::max() * std::uint64_t{1024}) *
           kBytes;
  }

  // What the parameters of the request take, and computing with them.
  std::uint64_t ParameterBytes() const {
    return request_.settings.data_range.has_value()
               ? BytesOfChannels(DerivedParameterCount(request_))
               : HeldBytes() + plan_->WorkingBytes(request_.inputs.front().shape);
  }

  std::uint64_t InputBytes() const {
    std::uint64_t bytes = 0;
    for (const core::TensorView& input : request_.inputs) {
      bytes += input.bytes.size();
    }
    return bytes;
  }

  std::uint64_t OutputBytes() const {
    return core::ElementBytes(request_.types.output, request_.element_count);
  }

  // Runs the kernel, and counts it if it succeeds, with the time that it took before to
  // make a plan from the data.
  absl::Status Compute(const core::OutputView& output, const core::Execution& execution,
                       std::chrono::steady_clock::duration planning) {
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(Implementation<Operation>::Compute(
        *plan_, {.inputs = request_.inputs, .output = output, .execution = execution}, rest_));
    context_.metrics->KernelRun(wire::kOperationIndex<Operation>,
                                planning + (std::chrono::steady_clock::now() - start),
                                {.elements = output.element_count(),
                                 .bytes_in = InputBytes(),
                                 .bytes_out = output.size_bytes()});
    return absl::OkStatus();
  }

  const OperationContext context_;
  const wire::Transfer transfer_;

  // Left to later requests.
  InheritedSettings<typename Operation::Request> inherited_;
  std::optional<Plan> plan_;
  core::ConversionTypes plan_types_ = {};
  // The fields of the answer besides its tensor.
  typename Operation::Response rest_;

  // The request that was decoded last, and what it asks for.
  std::optional<Received> received_;
  DecodedRequest request_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_OPERATION_SESSION_H_
