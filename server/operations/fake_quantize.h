// FakeQuantize: see core::FakeQuantization::Apply().

#ifndef QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_H_
#define QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_H_

#include "absl/status/status.h"
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

  static void Prepare(const Plan& plan, wire::Transfer /*transfer*/, Response& rest) {
    EncodeNudgedRange(plan.nudged_range(), *rest.mutable_nudged_range());
  }

  static absl::Status Compute(const Plan& plan, const ComputeArguments& arguments,
                              Response& /*rest*/) {
    return plan.Apply(arguments.inputs[0], arguments.output, arguments.pool);
  }
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_FAKE_QUANTIZE_H_
