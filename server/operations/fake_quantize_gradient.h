// FakeQuantizeGradient: see core::FakeQuantization::ApplyGradient().

#ifndef QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_
#define QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_

#include <google/protobuf/repeated_field.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/execution.h"
#include "core/fake_quantization.h"
#include "server/operations/codec.h"
#include "server/operations/implementation.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::server {

template <>
struct Implementation<wire::FakeQuantizeGradient> {
  using Plan = core::FakeQuantization;
  using Response = wire::FakeQuantizeGradient::Response;

  // Sets `field` to `count` zeros. (Not Resize(), which current releases of protobuf
  // deprecate.)
  template <typename T>
  static void Fill(std::size_t count, google::protobuf::RepeatedField<T>& field) {
    const std::vector<T> zeros(count);
    field.Assign(zeros.begin(), zeros.end());
  }

  template <typename T>
  static std::span<T> AsMutableSpan(google::protobuf::RepeatedField<T>& field) {
    return {field.mutable_data(), static_cast<std::size_t>(field.size())};
  }

  static constexpr std::uint64_t kBytesPerChannel = 170;
  static constexpr std::uint64_t kTypicalGrowth = 1;

  static absl::StatusOr<Plan> MakePlan(const DecodedRequest& request,
                                       const core::Execution& /*execution*/) {
    return Plan::CreateForGradient(request.settings.parameters, request.settings.spec,
                                   request.types.input);
  }

  // The sums before rounding are for the parts of a tensor, which are put together
  // from the answers of a stream.
  static void Prepare(const Plan& plan, wire::Transfer transfer, Response& rest) {
    if (plan.nudged_range() != nullptr) {
      EncodeNudgedRange(*plan.nudged_range(), *rest.mutable_nudged_range());
    }
    const std::size_t channels = plan.has_range_gradients() ? plan.channel_count() : 0;
    Fill(channels, *rest.mutable_min_gradient());
    Fill(channels, *rest.mutable_max_gradient());
    const std::size_t sums = transfer == wire::Transfer::kStream ? channels : 0;
    Fill(sums, *rest.mutable_min_gradient_sum());
    Fill(sums, *rest.mutable_max_gradient_sum());
  }

  static absl::Status Compute(const Plan& plan, const ComputeArguments& arguments, Response& rest) {
    return plan.ApplyGradient(arguments.inputs[0], arguments.inputs[1],
                              {.input = arguments.output,
                               .min = AsMutableSpan(*rest.mutable_min_gradient()),
                               .max = AsMutableSpan(*rest.mutable_max_gradient()),
                               .min_sum = AsMutableSpan(*rest.mutable_min_gradient_sum()),
                               .max_sum = AsMutableSpan(*rest.mutable_max_gradient_sum())},
                              arguments.execution);
  }
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_
