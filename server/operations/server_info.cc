#include "server/operations/server_info.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "core/support.h"
#include "server/operations/operation_kind.h"
#include "version.h"
#include "wire/element_type.h"
#include "wire/message.h"
#include "wire/numerics.h"
#include "wire/operations.h"

namespace quantd::server {
namespace {

// How one kind of parameters may be given.
struct KindsOfSource {
  core::ParameterSource source;
  v1::ParameterKind per_tensor;
  v1::ParameterKind per_channel;
  v1::ParameterKind blocks;
};

constexpr KindsOfSource kSources[] = {
    {core::ParameterSource::kRange, v1::PARAMETER_KIND_RANGE, v1::PARAMETER_KIND_RANGE_PER_CHANNEL,
     v1::PARAMETER_KIND_UNSPECIFIED},
    {core::ParameterSource::kAffine, v1::PARAMETER_KIND_AFFINE,
     v1::PARAMETER_KIND_AFFINE_PER_CHANNEL, v1::PARAMETER_KIND_AFFINE_BLOCKS},
};

void AddParameterKinds(const KindsOfSource& kinds, const core::Support& support,
                       v1::MethodSupport& method) {
  const std::pair<bool, v1::ParameterKind> all[] = {
      {support.per_tensor, kinds.per_tensor},
      {support.per_channel, kinds.per_channel},
      {support.blocks, kinds.blocks},
      {support.from_data, v1::PARAMETER_KIND_DATA_RANGE},
  };
  for (const auto& [supported, kind] : all) {
    if (supported) {
      method.add_parameters(kind);
    }
  }
}

void AddTypes(const core::Support& support, v1::MethodSupport& method) {
  for (const wire::ElementTypeMapping& mapping : wire::kElementTypes) {
    if (support.input_types.contains(mapping.type)) {
      method.add_input_types(mapping.data_type);
    }
    if (support.output_types.contains(mapping.type)) {
      method.add_output_types(mapping.data_type);
    }
  }
}

// Lists what `Operation` takes: an entry for each numerics, or two if it takes other
// types with a range than with scales.
template <typename Operation>
void AddMethods(v1::GetServerInfoResponse& response) {
  for (const wire::NumericsMapping& mapping : wire::kNumerics) {
    for (const KindsOfSource& kinds : kSources) {
      const std::optional<core::Support> support =
          core::SupportOf(kOperationKind<Operation>, mapping.numerics, kinds.source);
      if (!support.has_value()) {
        continue;
      }
      v1::MethodSupport& method = *response.add_methods();
      method.set_method(std::string(Operation::kName));
      method.set_numerics(mapping.number);
      AddParameterKinds(kinds, *support, method);
      AddTypes(*support, method);
    }
  }
}

// Lists the types of all methods that `response` has.
void AddDataTypes(v1::GetServerInfoResponse& response) {
  std::set<int> types;
  for (const v1::MethodSupport& method : response.methods()) {
    types.insert(method.input_types().begin(), method.input_types().end());
    types.insert(method.output_types().begin(), method.output_types().end());
  }
  for (const int type : types) {
    response.add_data_types(static_cast<v1::DataType>(type));
  }
}

}  // namespace

v1::GetServerInfoResponse DescribeServer(const ServerLimits& limits) {
  v1::GetServerInfoResponse response;
  response.set_version(std::string(kVersion));
  response.set_simd_target(core::ActiveSimdTarget());
  for (std::string& target : core::SupportedSimdTargets()) {
    response.add_supported_simd_targets(std::move(target));
  }
  wire::ForEachOperation([&]<typename Operation>() { AddMethods<Operation>(response); });
  AddDataTypes(response);
  response.set_max_message_bytes(limits.max_message_bytes);
  response.set_max_in_flight_bytes(limits.max_in_flight_bytes);
  response.set_worker_threads(static_cast<std::uint32_t>(limits.worker_threads));
  return response;
}

std::uint64_t ServerInfoSession::WeightOf(const grpc::ByteBuffer& request) const {
  return request.Length();
}

std::uint64_t ServerInfoSession::WorkOf(const grpc::ByteBuffer& request) const {
  return request.Length();
}

absl::StatusOr<std::uint64_t> ServerInfoSession::Decode(const grpc::ByteBuffer& request) {
  v1::GetServerInfoRequest message;
  RETURN_IF_ERROR(wire::ParseMessage(request, message));
  return request.Length();
}

absl::Status ServerInfoSession::Answer(grpc::ByteBuffer* response,
                                       std::function<bool()> /*is_cancelled*/) {
  ASSIGN_OR_RETURN(grpc::ByteBuffer answer, wire::SerializeMessage(DescribeServer(limits_)));
  response->Swap(&answer);
  return absl::OkStatus();
}

}  // namespace quantd::server
