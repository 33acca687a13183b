#include "client/library/messages.h"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/repeated_field.h>
#include <grpcpp/support/slice.h>

#include <array>
#include <bit>
#include <cassert>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/scattered_bytes.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "wire/element_type.h"
#include "wire/operations.h"
#include "wire/outgoing_tensor.h"
#include "wire/received_message.h"

namespace quantd::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors travel in little endian and are copied as they are");

void EncodeRange(const core::Range& range, v1::Range* message) {
  message->mutable_min()->Add(range.min.begin(), range.min.end());
  message->mutable_max()->Add(range.max.begin(), range.max.end());
  if (range.axis.has_value()) {
    message->set_axis(*range.axis);
  }
}

v1::Numerics EncodeNumerics(core::Numerics numerics) {
  switch (numerics) {
    case core::Numerics::kTensorFlow:
      return v1::NUMERICS_TENSORFLOW;
    case core::Numerics::kTensorFlowArgs:
      return v1::NUMERICS_TENSORFLOW_ARGS;
  }
  return v1::NUMERICS_UNSPECIFIED;
}

void EncodeSpec(const core::QuantizationSpec& spec, v1::QuantizationSpec* message) {
  message->set_num_bits(spec.num_bits);
  message->set_narrow_range(spec.narrow_range);
  message->set_numerics(EncodeNumerics(spec.numerics));
}

// Encodes `tensor` as a field of a message, followed by `rest`, other fields of
// the message.
absl::StatusOr<grpc::Slice> EncodeTensor(int field_number, const TensorView& tensor,
                                         const google::protobuf::MessageLite& rest) {
  try {
    ASSIGN_OR_RETURN(wire::OutgoingTensor outgoing,
                     wire::OutgoingTensor::Create({.field_number = field_number,
                                                   .type = tensor.type,
                                                   .shape = tensor.shape,
                                                   .element_count = tensor.element_count()},
                                                  rest));
    tensor.bytes.CopyTo(0, outgoing.elements().bytes());
    outgoing.EncodeRest(rest);
    return std::move(outgoing).ToSlice();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("a request does not fit into memory: free some of it");
  }
}

template <typename Operation>
absl::StatusOr<grpc::ByteBuffer> EncodeRequestOf(std::span<const TensorView> inputs,
                                                 const RequestParameters& parameters) {
  using Request = typename Operation::Request;
  constexpr std::size_t kInputCount = Operation::kInputs.size();
  assert(inputs.size() == kInputCount);
  Request rest;
  if (parameters.range.has_value()) {
    EncodeRange(*parameters.range, rest.mutable_range());
  }
  if (parameters.spec.has_value()) {
    EncodeSpec(*parameters.spec, rest.mutable_spec());
  }
  std::array<grpc::Slice, kInputCount> slices;
  for (std::size_t i = 0; i < kInputCount; ++i) {
    const bool is_last = i + 1 == kInputCount;
    ASSIGN_OR_RETURN(slices[i], EncodeTensor(Operation::kInputs[i].number, inputs[i],
                                             is_last ? rest : Request::default_instance()));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::Status UnexpectedAnswer(std::string_view field, absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("the server's answer does not fit the request: ", core::ToAbsl(field), " ", what,
                   "; check that client and server are of matching versions"));
}

// Copies the values of a field that has one per channel.
template <typename Field, typename Values>
absl::Status DecodeValues(std::string_view name,
                          const google::protobuf::RepeatedField<Field>& field,
                          std::size_t channel_count, Values& values) {
  if (static_cast<std::size_t>(field.size()) != channel_count) {
    return UnexpectedAnswer(
        name, absl::StrCat("has ", field.size(), " values; expected ", channel_count));
  }
  values.assign(field.begin(), field.end());
  return absl::OkStatus();
}

absl::StatusOr<core::NudgedRange> DecodeNudgedRange(const v1::NudgedRange& message,
                                                    std::size_t channel_count) {
  core::NudgedRange range;
  RETURN_IF_ERROR(DecodeValues("nudged_range.min", message.min(), channel_count, range.min));
  RETURN_IF_ERROR(DecodeValues("nudged_range.max", message.max(), channel_count, range.max));
  RETURN_IF_ERROR(DecodeValues("nudged_range.scale", message.scale(), channel_count, range.scale));
  RETURN_IF_ERROR(DecodeValues("nudged_range.zero_point", message.zero_point(), channel_count,
                               range.zero_point));
  return range;
}

absl::Status DecodeTensor(std::string_view field, const v1::Tensor& tensor,
                          const core::ScatteredBytes& elements, const core::OutputView& output) {
  const v1::DataType expected_type = wire::ToDataType(output.type());
  if (tensor.data_type() != expected_type) {
    return UnexpectedAnswer(
        field, absl::StrCat("has the data type ", v1::DataType_Name(tensor.data_type()),
                            "; expected ", v1::DataType_Name(expected_type)));
  }
  if (elements.size() != output.size_bytes()) {
    return UnexpectedAnswer(
        field, absl::StrCat("has ", elements.size(), " bytes; expected ", output.size_bytes()));
  }
  elements.CopyTo(0, output.bytes());
  return absl::OkStatus();
}

template <typename Operation>
absl::StatusOr<AnswerParameters> DecodeResponseOf(wire::Transfer transfer,
                                                  const grpc::ByteBuffer& response,
                                                  std::size_t channel_count,
                                                  const core::OutputView& output) {
  using Response = typename Operation::Response;
  // Refers to the transport's memory, which it keeps alive.
  const auto received = wire::ReceivedMessage<Response>::Parse(response);
  if (!received.ok()) {
    return absl::InternalError(absl::StrCat(
        "the server's answer of ", response.Length(), " bytes is not a ", Response().GetTypeName(),
        "; check that quantd listens at this address, and is of a matching version"));
  }
  const Response& message = received->message();
  RETURN_IF_ERROR(DecodeTensor(Operation::kOutput.name, (message.*Operation::kOutput.get)(),
                               received->elements(0), output));
  AnswerParameters parameters;
  ASSIGN_OR_RETURN(parameters.nudged_range,
                   DecodeNudgedRange(message.nudged_range(), channel_count));
  if constexpr (wire::DifferentiatesRange<Operation>) {
    if (transfer == wire::Transfer::kUnary) {
      RETURN_IF_ERROR(DecodeValues("min_gradient", message.min_gradient(), channel_count,
                                   parameters.min_gradient));
      RETURN_IF_ERROR(DecodeValues("max_gradient", message.max_gradient(), channel_count,
                                   parameters.max_gradient));
    } else {
      RETURN_IF_ERROR(DecodeValues("min_gradient_sum", message.min_gradient_sum(), channel_count,
                                   parameters.min_gradient));
      RETURN_IF_ERROR(DecodeValues("max_gradient_sum", message.max_gradient_sum(), channel_count,
                                   parameters.max_gradient));
    }
  }
  return parameters;
}

}  // namespace

absl::StatusOr<grpc::ByteBuffer> EncodeRequest(std::size_t operation,
                                               std::span<const TensorView> inputs,
                                               const RequestParameters& parameters) {
  return wire::VisitOperation(operation, [&]<typename Operation>() {
    return EncodeRequestOf<Operation>(inputs, parameters);
  });
}

absl::StatusOr<AnswerParameters> DecodeResponse(std::size_t operation, wire::Transfer transfer,
                                                const grpc::ByteBuffer& response,
                                                std::size_t channel_count,
                                                const core::OutputView& output) {
  return wire::VisitOperation(operation, [&]<typename Operation>() {
    return DecodeResponseOf<Operation>(transfer, response, channel_count, output);
  });
}

ServerInfo DecodeServerInfo(const v1::GetServerInfoResponse& response) {
  ServerInfo info{.version = response.version(),
                  .simd_target = response.simd_target(),
                  .supported_simd_targets = {response.supported_simd_targets().begin(),
                                             response.supported_simd_targets().end()},
                  .data_types = {},
                  .max_message_bytes = response.max_message_bytes(),
                  .max_in_flight_bytes = response.max_in_flight_bytes(),
                  .worker_threads = response.worker_threads(),
                  .shared_memory_socket = response.shared_memory_socket()};
  for (const int number : response.data_types()) {
    // A newer server may name types that this client does not know.
    const std::string& name = v1::DataType_Name(number);
    info.data_types.push_back(name.empty() ? absl::StrCat("DATA_TYPE_", number) : name);
  }
  return info;
}

}  // namespace quantd::client
