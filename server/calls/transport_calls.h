// The calls that gRPC has, including those that no handler has seen yet.

#ifndef QUANTD_SERVER_CALLS_TRANSPORT_CALLS_H_
#define QUANTD_SERVER_CALLS_TRANSPORT_CALLS_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "server/connections/transport_statistics.h"

namespace quantd::server {

// Counts the open calls of a gRPC server. gRPC hands a unary call to its handler only
// when the request has arrived whole: until then, this alone knows of the upload.
//
// Thread-safe. Must outlive the server.
class TransportCalls {
 public:
  using InterceptorFactories =
      std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>;

  // Builds and starts the server of `builder`, with an interceptor of its own before the `others`.
  // Returns null if gRPC does. To be called once.
  std::unique_ptr<grpc::Server> Start(grpc::ServerBuilder& builder,
                                      InterceptorFactories others = {});

  // Those of the server that Start() has started.
  const TransportStatistics& statistics() const { return statistics_; }

  // The connections, by their numbers in statistics(), that had no open call at some time.
  using Settled = std::set<std::int64_t>;

  // The open calls of the connections that are not in `settled`, without those that are
  // in the hands of other services, such as health watches, which never end on their
  // own. Adds connections without open calls to `settled`: with the same set, calls that
  // began before a drain are told from the many that begin during it and are refused.
  // Takes time in proportion to the number of connections.
  std::size_t CountOpen(Settled& settled) const;

 private:
  class Interceptor;
  class InterceptorFactory;

  TransportStatistics statistics_;
  // The open calls of other services.
  std::atomic<std::size_t> others_ = 0;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CALLS_TRANSPORT_CALLS_H_
