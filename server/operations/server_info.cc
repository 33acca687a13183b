#include "server/operations/server_info.h"

#include <string>
#include <utility>

#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "version.h"
#include "wire/element_type.h"
#include "wire/message.h"

namespace quantd::server {

v1::GetServerInfoResponse DescribeServer(const ServerLimits& limits) {
  v1::GetServerInfoResponse response;
  response.set_version(std::string(kVersion));
  response.set_simd_target(core::ActiveSimdTarget());
  for (std::string& target : core::SupportedSimdTargets()) {
    response.add_supported_simd_targets(std::move(target));
  }
  for (const wire::ElementTypeMapping& mapping : wire::kElementTypes) {
    response.add_data_types(mapping.data_type);
  }
  response.set_max_message_bytes(limits.max_message_bytes);
  response.set_max_in_flight_bytes(limits.max_in_flight_bytes);
  response.set_worker_threads(static_cast<std::uint32_t>(limits.worker_threads));
  return response;
}

std::uint64_t ServerInfoSession::WeightOf(const grpc::ByteBuffer& request) const {
  return request.Length();
}

absl::StatusOr<std::uint64_t> ServerInfoSession::Decode(const grpc::ByteBuffer& request) {
  v1::GetServerInfoRequest message;
  RETURN_IF_ERROR(wire::ParseMessage(request, message));
  return request.Length();
}

absl::Status ServerInfoSession::Answer(grpc::ByteBuffer* response) {
  ASSIGN_OR_RETURN(grpc::ByteBuffer answer, wire::SerializeMessage(DescribeServer(limits_)));
  response->Swap(&answer);
  return absl::OkStatus();
}

}  // namespace quantd::server
