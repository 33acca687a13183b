// The messages of any operation: parsed, checked, computed, encoded.

#ifndef QUANTD_SERVER_OPERATIONS_OPERATION_SESSION_H_
#define QUANTD_SERVER_OPERATIONS_OPERATION_SESSION_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cassert>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/status_macros.h"
#include "core/worker_pool.h"
#include "server/calls/session.h"
#include "server/operations/codec.h"
#include "server/operations/implementation.h"
#include "server/telemetry/metrics.h"
#include "wire/methods.h"
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

// A session of `Operation`. A request without a range or a spec inherits that of
// the request before it, and with both of them the plan: nothing is checked or
// prepared again.
template <typename Operation>
class OperationSession final : public Session {
 public:
  OperationSession(const OperationContext& context, wire::Transfer transfer)
      : context_(context), transfer_(transfer) {}

  std::uint64_t WeightOf(const grpc::ByteBuffer& request) const override {
    return request.Length() + range_bytes_;
  }

  // Errors: MALFORMED_MESSAGE; those of server::Decode(), Plan::Create() and
  // Plan::CheckShape(). Allocates nothing in proportion to the output.
  absl::StatusOr<std::uint64_t> Decode(const grpc::ByteBuffer& request) override {
    ASSIGN_OR_RETURN(Received received, Received::Parse(request));
    const bool has_new_parameters = Inherit(received.mutable_message());
    received_.emplace(std::move(received));
    ASSIGN_OR_RETURN(request_,
                     server::Decode(*received_, range_.has_value() ? &*range_ : nullptr, spec_));
    if (has_new_parameters || !plan_.has_value()) {
      RETURN_IF_ERROR(MakePlan());
    }
    RETURN_IF_ERROR(plan_->CheckShape(request_.inputs.front().shape));
    return InputBytes() + range_bytes_;
  }

  // Errors: MESSAGE_TOO_LARGE if the answer would exceed 2 GiB.
  absl::Status Answer(grpc::ByteBuffer* response) override {
    assert(received_.has_value());
    const core::TensorView& input = request_.inputs.front();
    ASSIGN_OR_RETURN(wire::OutgoingTensor answer,
                     wire::OutgoingTensor::Create({.field_number = Operation::kOutput.number,
                                                   .type = input.type,
                                                   .shape = input.shape,
                                                   .element_count = input.element_count()},
                                                  rest_));
    RETURN_IF_ERROR(Compute(answer.elements()));
    answer.EncodeRest(rest_);
    const grpc::Slice slice = std::move(answer).ToSlice();
    grpc::ByteBuffer(&slice, 1).Swap(response);
    // The transport's memory is no longer needed.
    request_ = {};
    received_.reset();
    return absl::OkStatus();
  }

 private:
  using Received = wire::ReceivedMessage<typename Operation::Request>;
  using Plan = typename Implementation<Operation>::Plan;

  // Takes the range and the spec of `message`, for it and for those after it.
  // Returns whether it has either.
  bool Inherit(typename Operation::Request& message) {
    if (message.has_range()) {
      range_ = std::move(*message.mutable_range());
      range_bytes_ = range_->ByteSizeLong();
    }
    if (message.has_spec()) {
      spec_ = std::move(*message.mutable_spec());
    }
    return message.has_range() || message.has_spec();
  }

  absl::Status MakePlan() {
    ASSIGN_OR_RETURN(Plan plan, Plan::Create(request_.range, request_.spec));
    plan_.emplace(std::move(plan));
    rest_.Clear();
    Implementation<Operation>::Prepare(*plan_, transfer_, rest_);
    return absl::OkStatus();
  }

  std::size_t InputBytes() const {
    std::size_t bytes = 0;
    for (const core::TensorView& input : request_.inputs) {
      bytes += input.bytes.size();
    }
    return bytes;
  }

  // Runs the kernel, and counts it if it succeeds.
  absl::Status Compute(const core::OutputView& output) {
    const auto start = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(Implementation<Operation>::Compute(
        *plan_, {.inputs = request_.inputs, .output = output, .pool = context_.pool}, rest_));
    context_.metrics->KernelRun(wire::kOperationIndex<Operation>,
                                std::chrono::steady_clock::now() - start,
                                {.elements = output.element_count(),
                                 .bytes_in = InputBytes(),
                                 .bytes_out = output.size_bytes()});
    return absl::OkStatus();
  }

  const OperationContext context_;
  const wire::Transfer transfer_;

  // Inherited by later requests.
  std::optional<v1::Range> range_;
  std::uint64_t range_bytes_ = 0;
  v1::QuantizationSpec spec_;
  std::optional<Plan> plan_;
  // The fields of the answer besides its tensor.
  typename Operation::Response rest_;

  // The request that was decoded last, and what it asks for.
  std::optional<Received> received_;
  DecodedRequest request_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_OPERATION_SESSION_H_
