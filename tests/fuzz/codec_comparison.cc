#include "tests/fuzz/codec_comparison.h"

#include <google/protobuf/message.h>
#include <google/protobuf/repeated_field.h>
#include <grpc/slice.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "core/base/error_reason.h"
#include "core/base/scattered_bytes.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/quantization.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "server/calls/session.h"
#include "server/operations/codec.h"
#include "server/operations/sessions.h"
#include "server/telemetry/metrics.h"
#include "tests/fuzz/mutable_tensor.h"
#include "tests/fuzz/plain_decoding.h"
#include "wire/element_type.h"
#include "wire/methods.h"
#include "wire/numerics.h"
#include "wire/operations.h"
#include "wire/received_message.h"
#include "wire/rounding.h"

namespace quantd::fuzz {
namespace {

// Larger tensors take longer and show nothing else.
constexpr std::size_t kMaxAnsweredBytes = std::size_t{16} << 10;

// More slices only cost time.
constexpr std::size_t kMaxSlices = 64;

// Of a shape with more than 64 dimensions.
constexpr int kKeptDimensions = 65;

absl::Status Difference(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the codec differs in ", what));
}

// Returns a slice with memory of its own, so that the address sanitizer sees its
// ends. (gRPC would keep the bytes of a short one inside the slice itself.)
grpc::Slice MakeSlice(std::span<const std::uint8_t> bytes) {
  grpc_slice slice = grpc_slice_malloc_large(bytes.size());
  std::ranges::copy(bytes, GRPC_SLICE_START_PTR(slice));
  return {slice, grpc::Slice::STEAL_REF};
}

// Returns the length of slice `index` of a message of which `remaining` bytes are
// left.
std::size_t SliceLength(const FuzzInput& input, std::size_t index, std::size_t remaining) {
  if (index + 1 >= kMaxSlices || input.slice_lengths.empty()) {
    return remaining;
  }
  return std::min<std::size_t>(input.slice_lengths[index % input.slice_lengths.size()], remaining);
}

grpc::ByteBuffer InSlices(const FuzzInput& input) {
  std::vector<grpc::Slice> slices;
  for (std::span<const std::uint8_t> rest = input.message; !rest.empty();) {
    const std::size_t length = SliceLength(input, slices.size(), rest.size());
    slices.push_back(MakeSlice(rest.first(length)));
    rest = rest.subspan(length);
  }
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer InOneSlice(const google::protobuf::Message& message) {
  const std::string bytes = message.SerializeAsString();
  const void* const first = bytes.data();
  const grpc::Slice slice = MakeSlice({static_cast<const std::uint8_t*>(first), bytes.size()});
  return {&slice, 1};
}

std::string Join(const core::ScatteredBytes& bytes) {
  std::string joined;
  for (const core::ScatteredBytes::Piece piece : bytes.pieces()) {
    const void* const first = piece.data();
    joined.append(static_cast<const char*>(first), piece.size());
  }
  return joined;
}

std::string Join(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string joined;
  if (buffer.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      joined.append(slice.begin(), slice.end());
    }
  }
  return joined;
}

// Returns the bytes of `message` without the elements of its tensors and without what the
// codec drops.
template <typename Message>
std::string SerializeWithoutElements(Message message) {
  message.DiscardUnknownFields();
  for (const wire::TensorField<Message>& field : wire::kTensorFields<Message>) {
    if (!(message.*field.has)()) {
      continue;
    }
    v1::Tensor& tensor = MutableTensor(message, field.number);
    if (tensor.has_data()) {
      tensor.mutable_data()->clear();
    }
    if (tensor.has_float_values()) {
      tensor.mutable_float_values()->clear_values();
    }
    tensor.mutable_shape()->Truncate(std::min(tensor.shape_size(), kKeptDimensions));
  }
  return message.SerializeAsString();
}

// Compares messages that both parsers accepted.
template <typename Message>
absl::Status CompareMessages(const wire::ReceivedMessage<Message>& actual,
                             const Message& expected) {
  std::size_t index = 0;
  for (const wire::TensorField<Message>& field : wire::kTensorFields<Message>) {
    const core::ScatteredBytes& elements = actual.elements(index++);
    const absl::string_view name(field.name.data(), field.name.size());
    if (Join(elements) != ElementBytes((expected.*field.get)())) {
      return Difference(absl::StrCat("the elements of ", name));
    }
    if (std::ranges::any_of(elements.pieces(), [](auto piece) { return piece.empty(); })) {
      return Difference(absl::StrCat("the pieces of ", name, ", one of which is empty"));
    }
  }
  return SerializeWithoutElements(actual.message()) == SerializeWithoutElements(expected)
             ? absl::OkStatus()
             : Difference("the message");
}

std::string Verdict(const absl::Status& status) {
  const core::ErrorDetail detail = core::GetErrorDetail(status).value_or(core::ErrorDetail{});
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ", detail.reason, " ",
                      detail.field);
}

absl::Status CompareVerdicts(absl::string_view of, const absl::Status& actual,
                             const absl::Status& expected) {
  return Verdict(actual) == Verdict(expected)
             ? absl::OkStatus()
             : Difference(absl::StrCat("the verdict of ", of, ": '", Verdict(actual),
                                       "', expected '", Verdict(expected), "'"));
}

absl::Status CompareInput(const core::TensorView& actual, const PlainTensor& expected) {
  if (actual.type != wire::ToElementType(expected.data_type)) {
    return Difference("the type of a tensor");
  }
  if (!std::ranges::equal(actual.shape, expected.shape)) {
    return Difference("a shape");
  }
  return Join(actual.bytes) == expected.elements ? absl::OkStatus()
                                                 : Difference("the elements of a tensor");
}

// Compares bits, so that a NaN equals itself.
bool SameBits(std::span<const float> actual, std::span<const float> expected) {
  return std::ranges::equal(std::as_bytes(actual), std::as_bytes(expected));
}

bool SameSpec(const core::QuantizationSpec& actual, const v1::QuantizationSpec& expected) {
  return actual.num_bits.has_value() == expected.has_num_bits() &&
         actual.num_bits.value_or(0) == expected.num_bits() &&
         actual.narrow_range == expected.narrow_range() &&
         (actual.numerics.has_value() ? wire::ToSchema(*actual.numerics)
                                      : v1::NUMERICS_UNSPECIFIED) == expected.numerics() &&
         actual.quant_min.has_value() == expected.has_quant_min() &&
         actual.quant_min.value_or(0) == expected.quant_min() &&
         actual.quant_max.has_value() == expected.has_quant_max() &&
         actual.quant_max.value_or(0) == expected.quant_max() &&
         (actual.precision.has_value() ? wire::ToDataType(*actual.precision)
                                       : v1::DATA_TYPE_UNSPECIFIED) == expected.precision() &&
         actual.signed_input == expected.signed_input() &&
         (actual.rounding.has_value() ? wire::ToSchema(*actual.rounding)
                                      : v1::ROUNDING_UNSPECIFIED) == expected.rounding();
}

// Compares the axis of any kind of parameters.
template <typename Actual, typename Expected>
bool SameAxis(const Actual& actual, const Expected& expected) {
  return actual.axis.has_value() == expected.has_axis() &&
         actual.axis.value_or(0) == expected.axis();
}

template <typename Actual, typename Expected>
bool SameBlocks(const Actual& actual, const Expected& expected) {
  return actual.block_size.has_value() == expected.has_block_size() &&
         actual.block_size.value_or(0) == expected.block_size();
}

template <typename T>
std::span<const T> SpanOf(const google::protobuf::RepeatedField<T>& field) {
  return {field.data(), static_cast<std::size_t>(field.size())};
}

bool SameParameters(const server::DecodedSettings& actual, const PlainRequest& expected) {
  if (expected.data_range.has_value()) {
    return actual.data_range.has_value() &&
           actual.data_range->symmetric == expected.data_range->symmetric() &&
           SameAxis(*actual.data_range, *expected.data_range) &&
           SameBlocks(*actual.data_range, *expected.data_range);
  }
  if (expected.affine.has_value()) {
    const auto* const affine = std::get_if<core::AffineParameters>(&actual.parameters);
    return affine != nullptr && !actual.data_range.has_value() &&
           SameBits(affine->scale, SpanOf(expected.affine->scale())) &&
           std::ranges::equal(affine->zero_point, expected.affine->zero_point()) &&
           SameAxis(*affine, *expected.affine) && SameBlocks(*affine, *expected.affine);
  }
  const auto* const range = std::get_if<core::Range>(&actual.parameters);
  return range != nullptr && !actual.data_range.has_value() &&
         SameBits(range->min, SpanOf(expected.range->min())) &&
         SameBits(range->max, SpanOf(expected.range->max())) && SameAxis(*range, *expected.range);
}

// Compares what two decodings of a request return.
absl::Status CompareDecoding(const absl::StatusOr<server::DecodedRequest>& actual,
                             const absl::StatusOr<PlainRequest>& expected) {
  RETURN_IF_ERROR(CompareVerdicts("decoding", actual.status(), expected.status()));
  if (!expected.ok()) {
    return absl::OkStatus();
  }
  if (actual->inputs.size() != expected->inputs.size()) {
    return Difference("the number of tensors");
  }
  for (std::size_t i = 0; i < expected->inputs.size(); ++i) {
    RETURN_IF_ERROR(CompareInput(actual->inputs[i], expected->inputs[i]));
  }
  if (actual->element_count != expected->element_count) {
    return Difference("the number of elements");
  }
  if (wire::ToDataType(actual->types.output) != expected->output_type) {
    return Difference("the type of the output");
  }
  if (!SameParameters(actual->settings, *expected)) {
    return Difference("the parameters");
  }
  return SameSpec(actual->settings.spec, expected->spec) ? absl::OkStatus()
                                                         : Difference("the spec");
}

// Returns what earlier requests of a stream left: a request without tensors.
template <typename Operation>
typename Operation::Request InheritedBy(const FuzzInput& input) {
  using Request = typename Operation::Request;
  Request inherited;
  if (input.inherits_scales) {
    inherited.mutable_affine()->add_scale(0.5F);
    inherited.mutable_affine()->add_zero_point(3);
  } else if (input.inherits_parameters) {
    inherited.mutable_range()->add_min(-1);
    inherited.mutable_range()->add_max(2);
  }
  if (input.inherits_spec || input.inherits_scales) {
    inherited.mutable_spec()->set_num_bits(4);
    inherited.mutable_spec()->set_narrow_range(true);
  }
  if (input.inherits_scales) {
    // Every operation has this one.
    inherited.mutable_spec()->set_numerics(v1::NUMERICS_PYTORCH);
  }
  if constexpr (wire::TakesOutputType<Request>) {
    if (input.inherits_output_type) {
      inherited.set_output_type(std::same_as<Operation, wire::Quantize> ? v1::DATA_TYPE_INT8
                                                                        : v1::DATA_TYPE_BFLOAT16);
    }
  }
  return inherited;
}

template <typename Request>
bool HasParameters(const Request& request) {
  if constexpr (wire::TakesDataRange<Request>) {
    if (request.has_data_range()) {
      return true;
    }
  }
  return request.has_range() || request.has_affine();
}

// Sets what `request` inherits.
template <typename Request>
void Inherit(const Request& inherited, Request& request) {
  if (!HasParameters(request) && inherited.has_range()) {
    *request.mutable_range() = inherited.range();
  } else if (!HasParameters(request) && inherited.has_affine()) {
    *request.mutable_affine() = inherited.affine();
  }
  if (!request.has_spec() && inherited.has_spec()) {
    *request.mutable_spec() = inherited.spec();
  }
  if constexpr (wire::TakesOutputType<Request>) {
    if (request.output_type() == v1::DATA_TYPE_UNSPECIFIED) {
      request.set_output_type(inherited.output_type());
    }
  }
}

// Returns a good request that leaves `inherited` to the requests after it, and
// parameters in any case: a stream ends with a first request that has none.
template <typename Operation>
typename Operation::Request EarlierRequest(const typename Operation::Request& inherited) {
  typename Operation::Request request = inherited;
  const bool takes_codes = std::same_as<Operation, wire::Dequantize>;
  for (const auto& field : Operation::kInputs) {
    v1::Tensor& tensor = MutableTensor(request, field.number);
    tensor.set_data_type(takes_codes ? v1::DATA_TYPE_UINT8 : v1::DATA_TYPE_FLOAT32);
    tensor.set_data(std::string(takes_codes ? 1 : sizeof(float), '\0'));
  }
  if (!HasParameters(request)) {
    request.mutable_range()->add_min(-1);
    request.mutable_range()->add_max(2);
  }
  return request;
}

std::unique_ptr<server::Session> MakeSession(std::size_t operation, wire::Transfer transfer) {
  static server::Metrics metrics("", {});
  return server::MakeSession(wire::kMethods[wire::MethodIndex(operation, transfer)],
                             {.pool = nullptr, .metrics = &metrics}, {});
}

// Compares what two sessions answer to a request that the codec accepts.
// `actual` gets it in slices, and `expected` gets all of it in one slice.
absl::StatusOr<Reached> CompareAnswers(server::Session& actual, const grpc::ByteBuffer& slices,
                                       server::Session& expected, const grpc::ByteBuffer& whole) {
  const absl::StatusOr<std::uint64_t> actual_bytes = actual.Decode(slices);
  const absl::StatusOr<std::uint64_t> expected_bytes = expected.Decode(whole);
  if (actual_bytes != expected_bytes) {
    return Difference(absl::StrCat("a session, which decodes to ", actual_bytes.status().ToString(),
                                   ", expected ", expected_bytes.status().ToString(),
                                   ", or the bytes that it holds"));
  }
  if (!expected_bytes.ok() || *expected_bytes > kMaxAnsweredBytes) {
    return Reached::kArguments;
  }
  grpc::ByteBuffer actual_answer;
  grpc::ByteBuffer expected_answer;
  const absl::Status actual_status = actual.Answer(&actual_answer);
  const absl::Status expected_status = expected.Answer(&expected_answer);
  // The values of a tensor may be refused.
  if (actual_status != expected_status || Join(actual_answer) != Join(expected_answer)) {
    return Difference(absl::StrCat("the answer, which is ", actual_status.ToString(), ", expected ",
                                   expected_status.ToString()));
  }
  return expected_status.ok() ? Reached::kElements : Reached::kArguments;
}

// Compares sessions that get the message of `input`. `whole` is the request with
// all that it inherits, and `plain` is its plain decoding.
template <typename Operation>
absl::StatusOr<Reached> CompareSessions(const FuzzInput& input, wire::Transfer transfer,
                                        const typename Operation::Request& inherited,
                                        const typename Operation::Request& whole,
                                        const absl::StatusOr<PlainRequest>& plain) {
  constexpr std::size_t kOperation = wire::kOperationIndex<Operation>;
  const std::unique_ptr<server::Session> session = MakeSession(kOperation, transfer);
  if (transfer == wire::Transfer::kStream) {
    grpc::ByteBuffer answer;
    RETURN_IF_ERROR(session->Decode(InOneSlice(EarlierRequest<Operation>(inherited))).status());
    RETURN_IF_ERROR(session->Answer(&answer));
  }
  if (!plain.ok()) {
    RETURN_IF_ERROR(
        CompareVerdicts("a session", session->Decode(InSlices(input)).status(), plain.status()));
    return Reached::kMessage;
  }
  return CompareAnswers(*session, InSlices(input), *MakeSession(kOperation, transfer),
                        InOneSlice(whole));
}

// Compares what becomes of a request that both parsers accepted.
template <typename Operation>
absl::StatusOr<Reached> CompareRequests(
    const FuzzInput& input, const wire::ReceivedMessage<typename Operation::Request>& received,
    const typename Operation::Request& generated) {
  using Request = typename Operation::Request;
  const Request inherited = InheritedBy<Operation>(input);
  Request whole = generated;
  Inherit(inherited, whole);
  const wire::Transfer transfer =
      inherited.ByteSizeLong() == 0 ? wire::Transfer::kUnary : wire::Transfer::kStream;
  const absl::StatusOr<PlainRequest> plain = PlainDecode<Operation>(whole, transfer);
  RETURN_IF_ERROR(CompareDecoding(server::Decode<Operation>(received, whole, transfer), plain));
  // No session leaves a spec or a type without parameters.
  if (transfer == wire::Transfer::kStream && !HasParameters(whole)) {
    return Reached::kMessage;
  }
  return CompareSessions<Operation>(input, transfer, inherited, whole, plain);
}

// Compares the parsing of a message, and what becomes of it if it is a request of
// `Operation`.
template <typename Operation, typename Message>
absl::StatusOr<Reached> Compare(const FuzzInput& input) {
  Message generated;
  const bool is_valid =
      generated.ParseFromArray(input.message.data(), static_cast<int>(input.message.size()));
  // The buffer is gone afterwards: the message keeps its slices alive.
  const auto received = wire::ReceivedMessage<Message>::Parse(InSlices(input));
  RETURN_IF_ERROR(CompareVerdicts(
      "parsing", received.status(),
      is_valid ? absl::OkStatus()
               : core::InvalidArgument(core::ErrorReason::kMalformedMessage, "refused")));
  if (!is_valid) {
    return Reached::kRefusal;
  }
  RETURN_IF_ERROR(CompareMessages(*received, generated));
  if constexpr (std::same_as<Message, typename Operation::Request>) {
    return CompareRequests<Operation>(input, *received, generated);
  } else {
    return Reached::kMessage;
  }
}

}  // namespace

absl::StatusOr<Reached> CompareCodec(const FuzzInput& input) {
  return wire::VisitOperation(OperationOf(input.message_type), [&]<typename Operation>() {
    return IsRequest(input.message_type) ? Compare<Operation, typename Operation::Request>(input)
                                         : Compare<Operation, typename Operation::Response>(input);
  });
}

}  // namespace quantd::fuzz
