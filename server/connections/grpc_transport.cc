#include "server/connections/grpc_transport.h"

#include <sys/socket.h>

#include <optional>
#include <string>
#include <utility>

namespace quantd::server {

namespace {

bool IsUnixSocket(int socket) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

}  // namespace

GrpcTransport::GrpcTransport(Acceptors acceptors, const TransportStatistics& statistics,
                             std::function<std::int64_t()> spare_bytes)
    : acceptors_(std::move(acceptors)),
      statistics_(statistics),
      spare_bytes_(std::move(spare_bytes)) {}

Transport::ConnectionNumber GrpcTransport::Serve(core::FileDescriptor connection) {
  const bool is_encrypted = acceptors_.tls != nullptr && !IsUnixSocket(connection.number());
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = connection.Release();
  if (is_encrypted) {
    acceptors_.tls->HandleNewConnection(&parameters);
    return kHandshaking;
  }
  acceptors_.plain->HandleNewConnection(&parameters);
  // In plain text, gRPC has nothing to wait for, so that the newest such connection is this one.
  return TakeNewConnections();
}

Transport::NumbersByAddress GrpcTransport::TakeHandshaken() {
  TakeNewConnections();
  return std::exchange(handshaken_, {});
}

Transport::ConnectionNumber GrpcTransport::TakeNewConnections() {
  ConnectionNumber newest = kClosed;
  for (const std::int64_t number : statistics_.ConnectionsAfter(last_)) {
    last_ = number;
    const std::optional<std::string> address =
        acceptors_.tls == nullptr ? std::nullopt : TransportStatistics::ClientOf(number);
    if (address.has_value()) {
      handshaken_.insert_or_assign(*address, number);
    } else {
      newest = number;
    }
  }
  return newest;
}

std::uint64_t GrpcTransport::failed_calls() const { return statistics_.failed_calls(); }

Transport::Calls GrpcTransport::CallsOf(ConnectionNumber connection) const {
  const TransportStatistics::Connection statistics = TransportStatistics::OfConnection(connection);
  return {.in_memory = statistics.streams_in_memory,
          .failed = statistics.streams_failed,
          .messages = statistics.messages_received};
}

}  // namespace quantd::server
