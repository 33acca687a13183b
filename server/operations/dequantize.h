// Dequantize: see core::Dequantizer::Apply().

#ifndef QUANTD_SERVER_OPERATIONS_DEQUANTIZE_H_
#define QUANTD_SERVER_OPERATIONS_DEQUANTIZE_H_

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
struct Implementation<wire::Dequantize> {
  using Plan = core::Dequantizer;
  using Response = wire::Dequantize::Response;

  // From 8 bits to 32.
  static constexpr std::uint64_t kBytesPerChannel = 64;
  static constexpr std::uint64_t kTypicalGrowth = 4;

  static absl::StatusOr<Plan> MakePlan(const DecodedRequest& request,
                                       const core::Execution& /*execution*/) {
    return Plan::Create(request.settings.parameters, request.settings.spec, request.types);
  }

  // An answer has the numerics beside the tensor, and nothing else.
  static void Prepare(const Plan& /*plan*/, wire::Transfer /*transfer*/, Response& /*rest*/) {}

  static absl::Status Compute(const Plan& plan, const ComputeArguments& arguments,
                              Response& /*rest*/) {
    return plan.Apply(arguments.inputs[0], arguments.output, arguments.execution);
  }
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_DEQUANTIZE_H_
