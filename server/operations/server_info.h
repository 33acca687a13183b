// GetServerInfo: what this server is, and what it accepts.

#ifndef QUANTD_SERVER_OPERATIONS_SERVER_INFO_H_
#define QUANTD_SERVER_OPERATIONS_SERVER_INFO_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/calls/session.h"
#include "server/settings/server_limits.h"

namespace quantd::server {

// Describes this server.
v1::GetServerInfoResponse DescribeServer(const ServerLimits& limits);

class ServerInfoSession final : public Session {
 public:
  explicit ServerInfoSession(const ServerLimits& limits) : limits_(limits) {}

  std::uint64_t WeightOf(const grpc::ByteBuffer& request) const override;
  std::uint64_t HeldBytes() const override { return 0; }
  std::uint64_t WorkOf(const grpc::ByteBuffer& request) const override;
  absl::StatusOr<std::uint64_t> Decode(const grpc::ByteBuffer& request) override;
  void Forget() override {}
  using Session::Answer;
  absl::Status Answer(grpc::ByteBuffer* response, std::function<bool()> is_cancelled) override;

 private:
  const ServerLimits limits_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_SERVER_INFO_H_
