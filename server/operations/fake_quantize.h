// FakeQuantize: see core::FakeQuantization::Apply().

#ifndef QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_H_
#define QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_H_

#include <cstdint>

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
struct Implementation<wire::FakeQuantize> {
  using Plan = core::FakeQuantization;
  using Response = wire::FakeQuantize::Response;

  static constexpr std::uint64_t kBytesPerChannel = 150;
  static constexpr std::uint64_t kTypicalGrowth = 1;

  static absl::StatusOr<Plan> MakePlan(const DecodedRequest& request,
                                       const core::Execution& /*execution*/) {
    return Plan::Create(request.settings.parameters, request.settings.spec, request.types.input);
  }

  static void Prepare(const Plan& plan, wire::Transfer /*transfer*/, Response& rest) {
    if (plan.nudged_range() != nullptr) {
      EncodeNudgedRange(*plan.nudged_range(), *rest.mutable_nudged_range());
    }
  }

  static absl::Status Compute(const Plan& plan, const ComputeArguments& arguments,
                              Response& /*rest*/) {
    return plan.Apply(arguments.inputs[0], arguments.output, arguments.execution);
  }
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_H_
