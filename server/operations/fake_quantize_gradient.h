// FakeQuantizeGradient: see core::FakeQuantization::ApplyGradient().

#ifndef QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_
#define QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_

#include <cstddef>
#include <span>

#include "absl/status/status.h"
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

  // The sums before rounding are for the parts of a tensor, which are put together
  // from the answers of a stream.
  static void Prepare(const Plan& plan, wire::Transfer transfer, Response& rest) {
    EncodeNudgedRange(plan.nudged_range(), *rest.mutable_nudged_range());
    const int channels = static_cast<int>(plan.channel_count());
    rest.mutable_min_gradient()->Resize(channels, 0);
    rest.mutable_max_gradient()->Resize(channels, 0);
    const int sums = transfer == wire::Transfer::kStream ? channels : 0;
    rest.mutable_min_gradient_sum()->Resize(sums, 0);
    rest.mutable_max_gradient_sum()->Resize(sums, 0);
  }

  static absl::Status Compute(const Plan& plan, const ComputeArguments& arguments, Response& rest) {
    return plan.ApplyGradient(arguments.inputs[0], arguments.inputs[1],
                              {.input = arguments.output,
                               .min = AsSpan(*rest.mutable_min_gradient()),
                               .max = AsSpan(*rest.mutable_max_gradient()),
                               .min_sum = AsSpan(*rest.mutable_min_gradient_sum()),
                               .max_sum = AsSpan(*rest.mutable_max_gradient_sum())},
                              arguments.pool);
  }

 private:
  template <typename Field>
  static auto AsSpan(Field& field) {
    return std::span(field.mutable_data(), static_cast<std::size_t>(field.size()));
  }
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_GRADIENT_H_
