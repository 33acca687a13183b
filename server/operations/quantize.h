// Quantize: see core::Quantizer::Apply().

#ifndef QUANTD_SERVER_OPERATIONS_QUANTIZE_H_
#define QUANTD_SERVER_OPERATIONS_QUANTIZE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/execution.h"
#include "core/quantizer.h"
#include "server/operations/codec.h"
#include "server/operations/implementation.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::server {

template <>
struct Implementation<wire::Quantize> {
  using Plan = core::Quantizer;
  using Response = wire::Quantize::Response;

  static constexpr std::uint64_t kBytesPerChannel = 112;
  static constexpr std::uint64_t kTypicalGrowth = 1;

  static absl::StatusOr<Plan> MakePlan(const DecodedRequest& request,
                                       const core::Execution& execution) {
    const DecodedSettings& settings = request.settings;
    return settings.data_range.has_value()
               ? Plan::CreateFromData(*settings.data_range, settings.spec, request.inputs.front(),
                                      request.types.output, execution)
               : Plan::Create(settings.parameters, settings.spec, request.types);
  }

  static void Prepare(const Plan& plan, wire::Transfer /*transfer*/, Response& rest) {
    EncodeParameters(plan.parameters(), *rest.mutable_parameters());
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

#endif  // QUANTD_SERVER_OPERATIONS_QUANTIZE_H_
