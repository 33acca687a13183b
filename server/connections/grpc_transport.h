// gRPC as a transport.

#ifndef QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_
#define QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_

#include <grpcpp/server_builder.h>

#include <cstdint>
#include <memory>

#include "server/connections/transport.h"
#include "server/connections/transport_statistics.h"

namespace quantd::server {

// Lets a gRPC server serve connections.
class GrpcTransport final : public Transport {
 public:
  // `acceptor` and `statistics` are those of one server that has started, and that nobody
  // else gives connections to.
  GrpcTransport(std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor,
                const TransportStatistics& statistics);

  ConnectionNumber Serve(core::FileDescriptor connection) override;
  std::uint64_t failed_calls() const override;
  Calls CallsOf(ConnectionNumber connection) const override;

 private:
  const std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  const TransportStatistics statistics_;
  ConnectionNumber last_ = kClosed;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_
