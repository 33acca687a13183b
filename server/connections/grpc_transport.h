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
  using GrpcAcceptor = std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>;

  struct Acceptors {
    // For connections in plain text.
    GrpcAcceptor plain;
    // For connections over the network, if they are encrypted; otherwise null.
    GrpcAcceptor tls = nullptr;
  };

  // `acceptors` and `statistics` are those of one server that has started, and that nobody
  // else gives connections to. `spare_bytes` answers for the method of this name.
  GrpcTransport(Acceptors acceptors, const TransportStatistics& statistics,
                std::function<std::int64_t()> spare_bytes);

  ConnectionNumber Serve(core::FileDescriptor connection) override;
  NumbersByAddress TakeHandshaken() override;
  std::int64_t spare_bytes() const override { return spare_bytes_(); }
  std::uint64_t failed_calls() const override;
  Calls CallsOf(ConnectionNumber connection) const override;

 private:
  // Looks at the connections that are newer than those of the last time. Returns the newest one
  // that has no network address, or kClosed.
  ConnectionNumber TakeNewConnections();

  const Acceptors acceptors_;
  const TransportStatistics statistics_;
  const std::function<std::int64_t()> spare_bytes_;
  ConnectionNumber last_ = kClosed;
  // Not taken yet.
  NumbersByAddress handshaken_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_GRPC_TRANSPORT_H_
