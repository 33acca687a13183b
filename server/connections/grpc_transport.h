// gRPC as a transport.

#ifndef QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_
#define QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_

#include <grpcpp/server_builder.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "server/connections/transport.h"
#include "server/connections/transport_statistics.h"

namespace quantd::server {

// Lets a gRPC server serve connections.
class GrpcTransport final : public Transport {
 public:
  // `acceptor` and `statistics` are those of one server that has started, and that nobody
  // else gives connections to. `spare_bytes` answers for the method of this name.
  GrpcTransport(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor,
                const TransportStatistics& statistics, std::function<std::int64_t()> spare_bytes);

  ConnectionNumber Serve(core::FileDescriptor connection) override;
  std::int64_t spare_bytes() const override { return spare_bytes_(); }
  std::uint64_t failed_calls() const override;
  Calls CallsOf(ConnectionNumber connection) const override;

 private:
  const std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  const TransportStatistics statistics_;
  const std::function<std::int64_t()> spare_bytes_;
  ConnectionNumber last_ = kClosed;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_
