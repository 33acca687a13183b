#include "client/messages.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/error.h"

namespace quantd::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "Tensor.data is little endian and is copied as it stands in memory");

constexpr std::size_t kMaxMessageBytes = std::numeric_limits<std::int32_t>::max();

// Upper bounds of what the fields take on the wire: a varint of 64 bits, a min
// and a max, and all tags, lengths and the spec together.
constexpr std::size_t kBytesPerDimension = 10;
constexpr std::size_t kBytesPerChannel = 2 * sizeof(float);
constexpr std::size_t kBytesForTheRest = 256;

void EncodeTensor(const TensorView& tensor, v1::Tensor* message) {
  message->set_data_type(v1::DATA_TYPE_FLOAT32);
  message->mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  message->set_data(tensor.values.data(), tensor.values.size_bytes());
}

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

absl::StatusOr<std::vector<float>> DecodeTensor(absl::string_view field, const v1::Tensor& tensor,
                                                std::size_t value_count) {
  if (tensor.data_type() != v1::DATA_TYPE_FLOAT32) {
    return UnexpectedAnswer(
        field, absl::StrCat("has the data type ", v1::DataType_Name(tensor.data_type()),
                            "; expected DATA_TYPE_FLOAT32"));
  }
  if (tensor.data().size() != value_count * sizeof(float)) {
    return UnexpectedAnswer(field, absl::StrCat("has ", tensor.data().size(), " bytes; expected ",
                                                value_count * sizeof(float)));
  }
  std::vector<float> values(value_count);
  if (value_count > 0) {
    std::memcpy(values.data(), tensor.data().data(), tensor.data().size());
  }
  return values;
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

}  // namespace

absl::Status CheckMessageSize(std::size_t value_count, std::size_t dimension_count,
                              std::size_t channel_count) {
  // Counts of what is in memory, so that the sum does not overflow.
  const std::size_t bytes = value_count * sizeof(float) + dimension_count * kBytesPerDimension +
                            channel_count * kBytesPerChannel + kBytesForTheRest;
  if (bytes <= kMaxMessageBytes) {
    return absl::OkStatus();
  }
  return core::MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the request would take ", bytes, " bytes; expected at most ", kMaxMessageBytes,
                   ", the size of the largest protobuf message: send the tensor in parts"),
      {.reason = std::string(core::reason::kMessageTooLarge),
       .field = "",
       .metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"max_message_bytes", absl::StrCat(kMaxMessageBytes)}}});
}

void EncodeRequest(const TensorView& input, const core::Range& range,
                   const core::QuantizationSpec& spec, v1::FakeQuantizeRequest* request) {
  EncodeTensor(input, request->mutable_input());
  EncodeRange(range, request->mutable_range());
  EncodeSpec(spec, request->mutable_spec());
}

void EncodeRequest(const TensorView& gradients, const TensorView& inputs, const core::Range& range,
                   const core::QuantizationSpec& spec, v1::FakeQuantizeGradientRequest* request) {
  EncodeTensor(gradients, request->mutable_gradients());
  EncodeTensor(inputs, request->mutable_inputs());
  EncodeRange(range, request->mutable_range());
  EncodeSpec(spec, request->mutable_spec());
}

absl::StatusOr<FakeQuantizeResult> DecodeResponse(const v1::FakeQuantizeResponse& response,
                                                  std::size_t value_count,
                                                  std::size_t channel_count) {
  absl::StatusOr<std::vector<float>> output =
      DecodeTensor("output", response.output(), value_count);
  if (!output.ok()) {
    return output.status();
  }
  absl::StatusOr<core::NudgedRange> nudged_range =
      DecodeNudgedRange(response.nudged_range(), channel_count);
  if (!nudged_range.ok()) {
    return nudged_range.status();
  }
  return FakeQuantizeResult{.output = *std::move(output), .nudged_range = *std::move(nudged_range)};
}

absl::StatusOr<FakeQuantizeGradientResult> DecodeResponse(
    const v1::FakeQuantizeGradientResponse& response, std::size_t value_count,
    std::size_t channel_count) {
  absl::StatusOr<std::vector<float>> input_gradients =
      DecodeTensor("input_gradients", response.input_gradients(), value_count);
  if (!input_gradients.ok()) {
    return input_gradients.status();
  }
  absl::Status status = CheckCount("min_gradient", response.min_gradient_size(), channel_count);
  status.Update(CheckCount("max_gradient", response.max_gradient_size(), channel_count));
  if (!status.ok()) {
    return status;
  }
  absl::StatusOr<core::NudgedRange> nudged_range =
      DecodeNudgedRange(response.nudged_range(), channel_count);
  if (!nudged_range.ok()) {
    return nudged_range.status();
  }
  return FakeQuantizeGradientResult{
      .input_gradients = *std::move(input_gradients),
      .min_gradient = {response.min_gradient().begin(), response.min_gradient().end()},
      .max_gradient = {response.max_gradient().begin(), response.max_gradient().end()},
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
