// What the methods do, without gRPC: from a checked request to its response.

#ifndef QUANTD_SERVER_OPERATIONS_HANDLERS_H_
#define QUANTD_SERVER_OPERATIONS_HANDLERS_H_

#include "absl/status/statusor.h"
#include "core/worker_pool.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/operations/codec.h"
#include "server/settings/server_limits.h"
#include "server/telemetry/metrics.h"
#include "wire/outgoing_tensor.h"

namespace quantd::server {

// What the handlers work with. Owns nothing.
struct HandlerContext {
  // Large tensors are split over it.
  core::WorkerPool* pool;
  // Elements, bytes and kernel times are counted there.
  Metrics* metrics;
};

// Fake-quantizes arguments.input into a v1::FakeQuantizeResponse. May be called
// from any number of threads. Throws std::bad_alloc.
//
// Errors: those of core::FakeQuantization::Create(), named after the request's
// fields; MESSAGE_TOO_LARGE where the answer would be over 2 GiB. Nothing in proportion to the
// output is allocated before the arguments have passed all checks.
absl::StatusOr<wire::OutgoingTensor> HandleFakeQuantize(const FakeQuantizeArguments& arguments,
                                                        const HandlerContext& context);

// Whether an answer has min_gradient_sum and max_gradient_sum.
enum class GradientSums { kLeftOut, kSent };

// Differentiates HandleFakeQuantize() into a v1::FakeQuantizeGradientResponse.
// Threads and errors as there.
absl::StatusOr<wire::OutgoingTensor> HandleFakeQuantizeGradient(
    const FakeQuantizeGradientArguments& arguments, GradientSums sums,
    const HandlerContext& context);

// Tells what this server is.
v1::GetServerInfoResponse HandleGetServerInfo(const ServerLimits& limits);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_HANDLERS_H_
