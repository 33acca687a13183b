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
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/scattered_bytes.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/numerics.h"
#include "wire/element_type.h"
#include "wire/numerics.h"
#include "wire/operations.h"
#include "wire/outgoing_tensor.h"
#include "wire/received_message.h"
#include "wire/rounding.h"

namespace quantd::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors travel in little endian and are copied as they are");

void EncodeParameters(const core::Range& range, v1::Range* message) {
  message->mutable_min()->Add(range.min.begin(), range.min.end());
  message->mutable_max()->Add(range.max.begin(), range.max.end());
  if (range.axis.has_value()) {
    message->set_axis(*range.axis);
  }
}

void EncodeParameters(const core::AffineParameters& affine, v1::AffineParameters* message) {
  message->mutable_scale()->Add(affine.scale.begin(), affine.scale.end());
  message->mutable_zero_point()->Add(affine.zero_point.begin(), affine.zero_point.end());
  if (affine.axis.has_value()) {
    message->set_axis(*affine.axis);
  }
  if (affine.block_size.has_value()) {
    message->set_block_size(*affine.block_size);
  }
}

void EncodeParameters(const core::DataRange& range, v1::DataRange* message) {
  message->set_symmetric(range.symmetric);
  if (range.axis.has_value()) {
    message->set_axis(*range.axis);
  }
  if (range.block_size.has_value()) {
    message->set_block_size(*range.block_size);
  }
}

// Only some requests have a data range.
template <typename Request>
void EncodeParametersOf(const QuantizeParameters& parameters, Request* request) {
  if (const auto* const range = std::get_if<core::Range>(&parameters)) {
    EncodeParameters(*range, request->mutable_range());
  } else if (const auto* const affine = std::get_if<core::AffineParameters>(&parameters)) {
    EncodeParameters(*affine, request->mutable_affine());
  } else if constexpr (wire::TakesDataRange<Request>) {
    EncodeParameters(*std::get_if<core::DataRange>(&parameters), request->mutable_data_range());
  } else {
    assert(false);
  }
}

void EncodeSpec(const core::QuantizationSpec& spec, v1::QuantizationSpec* message) {
  if (spec.num_bits.has_value()) {
    message->set_num_bits(*spec.num_bits);
  }
  message->set_narrow_range(spec.narrow_range);
  if (spec.numerics.has_value()) {
    message->set_numerics(wire::ToSchema(*spec.numerics));
  }
  if (spec.quant_min.has_value()) {
    message->set_quant_min(*spec.quant_min);
  }
  if (spec.quant_max.has_value()) {
    message->set_quant_max(*spec.quant_max);
  }
  if (spec.precision.has_value()) {
    message->set_precision(wire::ToDataType(*spec.precision));
  }
  message->set_signed_input(spec.signed_input);
  if (spec.rounding.has_value()) {
    message->set_rounding(wire::ToSchema(*spec.rounding));
  }
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
  if (parameters.parameters.has_value()) {
    EncodeParametersOf(*parameters.parameters, &rest);
  }
  if (parameters.spec.has_value()) {
    EncodeSpec(*parameters.spec, rest.mutable_spec());
  }
  if constexpr (wire::TakesOutputType<Request>) {
    if (parameters.output_type.has_value()) {
      rest.set_output_type(wire::ToDataType(*parameters.output_type));
    }
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

// Copies the values of a field that has `count` of them.
template <typename Field, typename Values>
absl::Status DecodeValues(std::string_view name,
                          const google::protobuf::RepeatedField<Field>& field, std::size_t count,
                          Values& values) {
  if (static_cast<std::size_t>(field.size()) != count) {
    return UnexpectedAnswer(name, absl::StrCat("has ", field.size(), " values; expected ", count));
  }
  values.assign(field.begin(), field.end());
  return absl::OkStatus();
}

// Returns the name of a value of an enum, or its number if only a newer server knows
// it.
std::string NameOrNumber(const std::string& name, int number) {
  return name.empty() ? absl::StrCat(number) : name;
}

absl::StatusOr<core::Numerics> DecodeNumerics(v1::Numerics number,
                                              std::optional<core::Numerics> requested) {
  // Servers that do not name it are older than all numerics but TensorFlow's.
  const std::optional<core::Numerics> numerics =
      number == v1::NUMERICS_UNSPECIFIED ? requested.value_or(core::Numerics::kTensorFlow)
                                         : wire::ToCore(number);
  if (numerics.has_value() && *numerics == requested.value_or(*numerics)) {
    return *numerics;
  }
  return UnexpectedAnswer(
      "numerics",
      absl::StrCat("is ", NameOrNumber(v1::Numerics_Name(number), number), "; expected ",
                   requested.has_value() ? v1::Numerics_Name(wire::ToSchema(*requested))
                                         : "one that this client knows"));
}

absl::StatusOr<core::NudgedRange> DecodeNudgedRange(const v1::NudgedRange& message,
                                                    std::size_t count) {
  core::NudgedRange range;
  RETURN_IF_ERROR(DecodeValues("nudged_range.min", message.min(), count, range.min));
  RETURN_IF_ERROR(DecodeValues("nudged_range.max", message.max(), count, range.max));
  RETURN_IF_ERROR(DecodeValues("nudged_range.scale", message.scale(), count, range.scale));
  RETURN_IF_ERROR(
      DecodeValues("nudged_range.zero_point", message.zero_point(), count, range.zero_point));
  return range;
}

absl::StatusOr<core::UsedParameters> DecodeUsedParameters(const v1::AffineParameters& message,
                                                          std::size_t count) {
  core::UsedParameters parameters;
  RETURN_IF_ERROR(DecodeValues("parameters.scale", message.scale(), count, parameters.scale));
  if (message.zero_point().empty()) {
    parameters.zero_point.assign(count, 0);
    return parameters;
  }
  RETURN_IF_ERROR(
      DecodeValues("parameters.zero_point", message.zero_point(), count, parameters.zero_point));
  return parameters;
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

// Decodes the gradients with respect to the range, of which there are `count`.
template <typename Response>
absl::Status DecodeRangeGradients(wire::Transfer transfer, const Response& message,
                                  std::size_t count, AnswerParameters* parameters) {
  if (transfer == wire::Transfer::kUnary) {
    RETURN_IF_ERROR(
        DecodeValues("min_gradient", message.min_gradient(), count, parameters->min_gradient));
    return DecodeValues("max_gradient", message.max_gradient(), count, parameters->max_gradient);
  }
  RETURN_IF_ERROR(DecodeValues("min_gradient_sum", message.min_gradient_sum(), count,
                               parameters->min_gradient));
  return DecodeValues("max_gradient_sum", message.max_gradient_sum(), count,
                      parameters->max_gradient);
}

// Decodes all of an answer but its tensor.
template <typename Response>
absl::StatusOr<AnswerParameters> DecodeParameters(wire::Transfer transfer, const Response& message,
                                                  const AnswerExpectation& expectation) {
  AnswerParameters parameters;
  ASSIGN_OR_RETURN(parameters.numerics, DecodeNumerics(message.numerics(), expectation.numerics));
  const std::optional<core::RangeArithmetic>& by_range = core::RowOf(parameters.numerics).range;
  const std::size_t range_count =
      by_range.has_value() && !expectation.has_scales ? expectation.parameter_count : 0;
  if constexpr (requires { message.nudged_range(); }) {
    ASSIGN_OR_RETURN(parameters.nudged_range,
                     DecodeNudgedRange(message.nudged_range(), range_count));
  }
  if constexpr (requires { message.parameters(); }) {
    ASSIGN_OR_RETURN(parameters.parameters,
                     DecodeUsedParameters(message.parameters(), expectation.parameter_count));
  }
  if constexpr (requires { message.min_gradient_sum(); }) {
    const std::size_t gradient_count =
        range_count > 0 && by_range->has_range_gradients ? range_count : 0;
    RETURN_IF_ERROR(DecodeRangeGradients(transfer, message, gradient_count, &parameters));
  }
  return parameters;
}

template <typename Operation>
absl::StatusOr<AnswerParameters> DecodeResponseOf(wire::Transfer transfer,
                                                  const grpc::ByteBuffer& response,
                                                  const AnswerExpectation& expectation,
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
  return DecodeParameters(transfer, message, expectation);
}

std::string WithoutPrefix(absl::string_view prefix, const std::string& name) {
  return std::string(absl::StripPrefix(name, prefix));
}

std::vector<std::string> TypeNames(const google::protobuf::RepeatedField<int>& types) {
  std::vector<std::string> names;
  for (const int type : types) {
    names.push_back(WithoutPrefix("DATA_TYPE_", NameOrNumber(v1::DataType_Name(type), type)));
  }
  return names;
}

MethodSupport DecodeMethodSupport(const v1::MethodSupport& message) {
  MethodSupport support{
      .method = message.method(),
      .numerics = WithoutPrefix(
          "NUMERICS_", NameOrNumber(v1::Numerics_Name(message.numerics()), message.numerics())),
      .parameters = {},
      .input_types = TypeNames(message.input_types()),
      .output_types = TypeNames(message.output_types())};
  for (const int kind : message.parameters()) {
    support.parameters.push_back(
        WithoutPrefix("PARAMETER_KIND_", NameOrNumber(v1::ParameterKind_Name(kind), kind)));
  }
  return support;
}

}  // namespace

absl::StatusOr<grpc::ByteBuffer> EncodeRequest(std::size_t operation,
                                               std::span<const TensorView> inputs,
                                               const RequestParameters& parameters) {
  return wire::VisitOperation(operation, [&]<typename Operation>() {
    return EncodeRequestOf<Operation>(inputs, parameters);
  });
}

AnswerExpectation ExpectationOf(const QuantizeParameters& parameters,
                                const core::QuantizationSpec& spec,
                                const core::ParameterLayout& layout) {
  return {.parameter_count = layout.parameter_count(),
          .has_scales = std::holds_alternative<core::AffineParameters>(parameters),
          .numerics = spec.numerics};
}

absl::StatusOr<AnswerParameters> DecodeResponse(std::size_t operation, wire::Transfer transfer,
                                                const grpc::ByteBuffer& response,
                                                const AnswerExpectation& expectation,
                                                const core::OutputView& output) {
  return wire::VisitOperation(operation, [&]<typename Operation>() {
    return DecodeResponseOf<Operation>(transfer, response, expectation, output);
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
                  .shared_memory_socket = response.shared_memory_socket(),
                  .methods = {}};
  for (const int number : response.data_types()) {
    // A newer server may name types that this client does not know.
    const std::string& name = v1::DataType_Name(number);
    info.data_types.push_back(name.empty() ? absl::StrCat("DATA_TYPE_", number) : name);
  }
  for (const v1::MethodSupport& method : response.methods()) {
    info.methods.push_back(DecodeMethodSupport(method));
  }
  return info;
}

}  // namespace quantd::client
