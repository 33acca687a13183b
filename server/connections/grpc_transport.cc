#include "server/connections/grpc_transport.h"

#include <utility>
#include <vector>

namespace quantd::server {

GrpcTransport::GrpcTransport(
    std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor,
    const TransportStatistics& statistics, std::function<std::int64_t()> spare_bytes)
    : acceptor_(std::move(acceptor)),
      statistics_(statistics),
      spare_bytes_(std::move(spare_bytes)) {}

Transport::ConnectionNumber GrpcTransport::Serve(core::FileDescriptor connection) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = connection.Release();
  acceptor_->HandleNewConnection(&parameters);
  // Without TLS, gRPC has nothing to wait for, so that the newest connection is this one.
  const std::vector<std::int64_t> newer = statistics_.ConnectionsAfter(last_);
  if (newer.empty()) {
    return kClosed;
  }
  last_ = newer.back();
  return last_;
}

std::uint64_t GrpcTransport::failed_calls() const { return statistics_.failed_calls(); }

Transport::Calls GrpcTransport::CallsOf(ConnectionNumber connection) const {
  const TransportStatistics::Connection statistics = TransportStatistics::OfConnection(connection);
  return {.in_memory = statistics.streams_in_memory,
          .failed = statistics.streams_failed,
          .messages = statistics.messages_received};
}

}  // namespace quantd::server
