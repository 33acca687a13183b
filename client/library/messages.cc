#include "client/library/messages.h"

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "wire/message.h"
#include "wire/outgoing_tensor.h"
#include "wire/received_message.h"

namespace quantd::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "Tensor.data is little endian and is copied as it stands in memory");

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

template <typename Request>
void EncodeParameters(const RequestParameters& parameters, Request* request) {
  if (parameters.range.has_value()) {
    EncodeRange(*parameters.range, request->mutable_range());
  }
  if (parameters.spec.has_value()) {
    EncodeSpec(*parameters.spec, request->mutable_spec());
  }
}

// `tensor` as the field `number` of a message, and behind it `rest`, the
// message's other fields.
absl::StatusOr<grpc::Slice> EncodeTensor(int number, const TensorView& tensor,
                                         const google::protobuf::MessageLite& rest) {
  try {
    auto outgoing = wire::OutgoingTensor::Create(number, tensor.shape, tensor.values.size(), rest);
    if (!outgoing.ok()) {
      return outgoing.status();
    }
    std::ranges::copy(tensor.values, outgoing->elements().begin());
    outgoing->EncodeRest(rest);
    return (*std::move(outgoing)).ToSlice();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("a request does not fit into memory: free some of it");
  }
}

absl::Status UnexpectedAnswer(absl::string_view field, absl::string_view what) {
  return absl::InternalError(
      absl::StrCat("the server's answer does not fit the request: ", field, " ", what,
                   "; check that client and server are of matching versions"));
}

absl::Status CheckCount(absl::string_view field, int count, std::size_t expected) {
  if (static_cast<std::size_t>(count) != expected) {
    return UnexpectedAnswer(field, absl::StrCat("has ", count, " values; expected ", expected));
  }
  return absl::OkStatus();
}

// The message in `response`. Refers to the transport's memory, which it owns.
template <typename Response>
absl::StatusOr<wire::ReceivedMessage<Response>> Receive(const grpc::ByteBuffer& response) {
  auto message = wire::ReceivedMessage<Response>::Parse(response);
  if (!message.ok()) {
    return absl::InternalError(absl::StrCat(
        "the server's answer of ", response.Length(), " bytes is no ", Response().GetTypeName(),
        "; check that quantd listens at this address, and is of a matching version"));
  }
  return message;
}

absl::Status DecodeTensor(absl::string_view field, const v1::Tensor& tensor,
                          const wire::TensorBytes& elements, std::span<float> output) {
  if (tensor.data_type() != v1::DATA_TYPE_FLOAT32) {
    return UnexpectedAnswer(
        field, absl::StrCat("has the data type ", v1::DataType_Name(tensor.data_type()),
                            "; expected DATA_TYPE_FLOAT32"));
  }
  if (elements.size() != output.size_bytes()) {
    return UnexpectedAnswer(
        field, absl::StrCat("has ", elements.size(), " bytes; expected ", output.size_bytes()));
  }
  std::span<std::byte> room = std::as_writable_bytes(output);
  for (const wire::TensorBytes::Piece piece : elements.pieces()) {
    std::memcpy(room.data(), piece.data(), piece.size());
    room = room.subspan(piece.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<core::NudgedRange> DecodeNudgedRange(const v1::NudgedRange& message,
                                                    std::size_t channel_count) {
  absl::Status status = CheckCount("nudged_range.min", message.min_size(), channel_count);
  status.Update(CheckCount("nudged_range.max", message.max_size(), channel_count));
  status.Update(CheckCount("nudged_range.scale", message.scale_size(), channel_count));
  status.Update(CheckCount("nudged_range.zero_point", message.zero_point_size(), channel_count));
  if (!status.ok()) {
    return status;
  }
  return core::NudgedRange{
      .min = {message.min().begin(), message.min().end()},
      .max = {message.max().begin(), message.max().end()},
      .scale = {message.scale().begin(), message.scale().end()},
      .zero_point = {message.zero_point().begin(), message.zero_point().end()}};
}

// Checks what unary and streamed answers have alike, and takes the elements.
absl::Status DecodeGradients(
    const wire::ReceivedMessage<v1::FakeQuantizeGradientResponse>& response,
    std::size_t channel_count, std::span<float> output) {
  const v1::FakeQuantizeGradientResponse& message = response.message();
  absl::Status status =
      DecodeTensor("input_gradients", message.input_gradients(), response.elements(0), output);
  status.Update(CheckCount("min_gradient", message.min_gradient_size(), channel_count));
  status.Update(CheckCount("max_gradient", message.max_gradient_size(), channel_count));
  return status;
}

}  // namespace

absl::StatusOr<grpc::ByteBuffer> EncodeFakeQuantizeRequest(const TensorView& input,
                                                           const RequestParameters& parameters) {
  v1::FakeQuantizeRequest rest;
  EncodeParameters(parameters, &rest);
  const absl::StatusOr<grpc::Slice> slice =
      EncodeTensor(v1::FakeQuantizeRequest::kInputFieldNumber, input, rest);
  if (!slice.ok()) {
    return slice.status();
  }
  return grpc::ByteBuffer(&*slice, 1);
}

absl::StatusOr<grpc::ByteBuffer> EncodeFakeQuantizeGradientRequest(
    const TensorView& gradients, const TensorView& inputs, const RequestParameters& parameters) {
  v1::FakeQuantizeGradientRequest rest;
  EncodeParameters(parameters, &rest);
  const absl::StatusOr<grpc::Slice> gradients_slice =
      EncodeTensor(v1::FakeQuantizeGradientRequest::kGradientsFieldNumber, gradients,
                   v1::FakeQuantizeGradientRequest::default_instance());
  if (!gradients_slice.ok()) {
    return gradients_slice.status();
  }
  const absl::StatusOr<grpc::Slice> inputs_slice =
      EncodeTensor(v1::FakeQuantizeGradientRequest::kInputsFieldNumber, inputs, rest);
  if (!inputs_slice.ok()) {
    return inputs_slice.status();
  }
  const std::array slices = {*gradients_slice, *inputs_slice};
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusOr<core::NudgedRange> DecodeFakeQuantizeResponse(const grpc::ByteBuffer& response,
                                                             std::size_t channel_count,
                                                             std::span<float> output) {
  const auto received = Receive<v1::FakeQuantizeResponse>(response);
  if (!received.ok()) {
    return received.status();
  }
  const v1::FakeQuantizeResponse& message = received->message();
  const absl::Status status =
      DecodeTensor("output", message.output(), received->elements(0), output);
  if (!status.ok()) {
    return status;
  }
  return DecodeNudgedRange(message.nudged_range(), channel_count);
}

absl::StatusOr<RangeGradients> DecodeFakeQuantizeGradientResponse(const grpc::ByteBuffer& response,
                                                                  std::size_t channel_count,
                                                                  std::span<float> output) {
  const auto received = Receive<v1::FakeQuantizeGradientResponse>(response);
  if (!received.ok()) {
    return received.status();
  }
  const absl::Status status = DecodeGradients(*received, channel_count, output);
  if (!status.ok()) {
    return status;
  }
  const v1::FakeQuantizeGradientResponse& message = received->message();
  absl::StatusOr<core::NudgedRange> nudged_range =
      DecodeNudgedRange(message.nudged_range(), channel_count);
  if (!nudged_range.ok()) {
    return nudged_range.status();
  }
  return RangeGradients{.min = {message.min_gradient().begin(), message.min_gradient().end()},
                        .max = {message.max_gradient().begin(), message.max_gradient().end()},
                        .nudged_range = *std::move(nudged_range)};
}

absl::StatusOr<RangeGradientSums> DecodeStreamedGradientResponse(const grpc::ByteBuffer& response,
                                                                 std::size_t channel_count,
                                                                 std::span<float> output) {
  const auto received = Receive<v1::FakeQuantizeGradientResponse>(response);
  if (!received.ok()) {
    return received.status();
  }
  const v1::FakeQuantizeGradientResponse& message = received->message();
  absl::Status status = DecodeGradients(*received, channel_count, output);
  status.Update(CheckCount("min_gradient_sum", message.min_gradient_sum_size(), channel_count));
  status.Update(CheckCount("max_gradient_sum", message.max_gradient_sum_size(), channel_count));
  if (!status.ok()) {
    return status;
  }
  absl::StatusOr<core::NudgedRange> nudged_range =
      DecodeNudgedRange(message.nudged_range(), channel_count);
  if (!nudged_range.ok()) {
    return nudged_range.status();
  }
  return RangeGradientSums{
      .min = {message.min_gradient_sum().begin(), message.min_gradient_sum().end()},
      .max = {message.max_gradient_sum().begin(), message.max_gradient_sum().end()},
      .nudged_range = *std::move(nudged_range)};
}

ServerInfo DecodeResponse(const v1::GetServerInfoResponse& response) {
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
