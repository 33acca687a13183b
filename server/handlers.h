// What the methods do, without gRPC: from a request message to its response.

#ifndef QUANTD_SERVER_HANDLERS_H_
#define QUANTD_SERVER_HANDLERS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "core/worker_pool.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/metrics.h"

namespace quantd::server {

// What the handlers work with. Owns nothing.
struct HandlerContext {
  // Large tensors are split over it.
  core::WorkerPool* pool;
  // Elements, bytes and kernel times are counted there.
  Metrics* metrics;
};

// Fake-quantizes request.input. May be called from any number of threads.
//
// Errors: those of Decode() and core::FakeQuantization::Create(), named after
// the request's fields. Nothing in proportion to the output is allocated before
// the request has passed all checks.
absl::StatusOr<v1::FakeQuantizeResponse> HandleFakeQuantize(const v1::FakeQuantizeRequest& request,
                                                            const HandlerContext& context);

// Differentiates HandleFakeQuantize(). Threads and errors as there.
absl::StatusOr<v1::FakeQuantizeGradientResponse> HandleFakeQuantizeGradient(
    const v1::FakeQuantizeGradientRequest& request, const HandlerContext& context);

// What a client may expect of this server.
struct ServerLimits {
  std::uint64_t max_message_bytes = 0;
  std::uint64_t max_in_flight_bytes = 0;
  std::size_t worker_threads = 0;
};

// Tells what this server is.
v1::GetServerInfoResponse HandleGetServerInfo(const ServerLimits& limits);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_HANDLERS_H_
