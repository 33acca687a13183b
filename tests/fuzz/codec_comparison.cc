#include "tests/fuzz/codec_comparison.h"

#include <google/protobuf/message.h>
#include <grpc/slice.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "core/base/error_reason.h"
#include "core/base/scattered_bytes.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
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
#include "wire/operations.h"
#include "wire/received_message.h"

namespace quantd::fuzz {
namespace {

// Larger tensors take longer and show nothing else.
constexpr std::size_t kMaxAnsweredBytes = std::size_t{16} << 10;

// More slices only cost time.
constexpr std::size_t kMaxSlices = 64;

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

// Returns the bytes of `message` without the elements of its tensors.
template <typename Message>
std::string SerializeWithoutElements(Message message) {
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

bool SameSpec(const core::QuantizationSpec& actual, const core::QuantizationSpec& expected) {
  return actual.num_bits == expected.num_bits && actual.narrow_range == expected.narrow_range &&
         actual.numerics == expected.numerics;
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
  if (!SameBits(actual->range.min, expected->min) || !SameBits(actual->range.max, expected->max) ||
      actual->range.axis != expected->axis) {
    return Difference("the range");
  }
  return SameSpec(actual->spec, expected->spec) ? absl::OkStatus() : Difference("the spec");
}

// What earlier requests of a stream left.
struct Inherited {
  std::optional<v1::Range> range;
  std::optional<v1::QuantizationSpec> spec;
};

v1::Range EarlierRange() {
  v1::Range range;
  range.add_min(-1);
  range.add_max(2);
  return range;
}

Inherited InheritedBy(const FuzzInput& input) {
  Inherited inherited;
  if (input.inherits_range) {
    inherited.range = EarlierRange();
  }
  if (input.inherits_spec) {
    v1::QuantizationSpec& spec = inherited.spec.emplace();
    spec.set_num_bits(4);
    spec.set_narrow_range(true);
  }
  return inherited;
}

// Sets what `request` inherits.
template <typename Request>
void Inherit(const Inherited& inherited, Request& request) {
  if (!request.has_range() && inherited.range.has_value()) {
    *request.mutable_range() = *inherited.range;
  }
  if (!request.has_spec() && inherited.spec.has_value()) {
    *request.mutable_spec() = *inherited.spec;
  }
}

// Decodes `received` with what it inherits, as server::OperationSession does.
template <typename Request>
absl::StatusOr<server::DecodedRequest> Decode(const wire::ReceivedMessage<Request>& received,
                                              const Inherited& inherited,
                                              const v1::QuantizationSpec& default_spec) {
  const Request& message = received.message();
  const v1::Range* const inherited_range =
      inherited.range.has_value() ? &*inherited.range : nullptr;
  const v1::QuantizationSpec& inherited_spec =
      inherited.spec.has_value() ? *inherited.spec : default_spec;
  return server::Decode(received, message.has_range() ? &message.range() : inherited_range,
                        message.has_spec() ? message.spec() : inherited_spec);
}

// Returns a good request that leaves `inherited` to the requests after it, and a
// range in any case: a stream ends with a first request that has none.
template <typename Request>
Request EarlierRequest(const Inherited& inherited) {
  Request request;
  for (const wire::TensorField<Request>& field : wire::kTensorFields<Request>) {
    const wire::ElementTypeMapping& type = wire::kElementTypes.front();
    v1::Tensor& tensor = MutableTensor(request, field.number);
    tensor.set_data_type(type.data_type);
    tensor.set_data(std::string(core::ElementBytes(type.type), '\0'));
  }
  *request.mutable_range() = EarlierRange();
  Inherit(inherited, request);
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
  if (!actual.Answer(&actual_answer).ok() || !expected.Answer(&expected_answer).ok() ||
      Join(actual_answer) != Join(expected_answer)) {
    return Difference("the answer");
  }
  return Reached::kElements;
}

// Compares sessions that get the message of `input`. `whole` is the request with
// all that it inherits, and `plain` is its plain decoding.
template <typename Request>
absl::StatusOr<Reached> CompareSessions(const FuzzInput& input, const Inherited& inherited,
                                        const Request& whole,
                                        const absl::StatusOr<PlainRequest>& plain) {
  const bool is_first = !inherited.range.has_value() && !inherited.spec.has_value();
  const wire::Transfer transfer = is_first ? wire::Transfer::kUnary : wire::Transfer::kStream;
  const std::size_t operation = OperationOf(input.message_type);
  const std::unique_ptr<server::Session> session = MakeSession(operation, transfer);
  if (!is_first) {
    grpc::ByteBuffer answer;
    RETURN_IF_ERROR(session->Decode(InOneSlice(EarlierRequest<Request>(inherited))).status());
    RETURN_IF_ERROR(session->Answer(&answer));
  }
  if (!plain.ok()) {
    RETURN_IF_ERROR(
        CompareVerdicts("a session", session->Decode(InSlices(input)).status(), plain.status()));
    return Reached::kMessage;
  }
  return CompareAnswers(*session, InSlices(input), *MakeSession(operation, transfer),
                        InOneSlice(whole));
}

// Compares what becomes of a request that both parsers accepted.
template <typename Request>
absl::StatusOr<Reached> CompareRequests(const FuzzInput& input,
                                        const wire::ReceivedMessage<Request>& received,
                                        const Request& generated) {
  const Inherited inherited = InheritedBy(input);
  Request whole = generated;
  Inherit(inherited, whole);
  const absl::StatusOr<PlainRequest> plain = PlainDecode(whole);
  const v1::QuantizationSpec default_spec;
  RETURN_IF_ERROR(CompareDecoding(Decode(received, inherited, default_spec), plain));
  // No session leaves a spec without a range.
  if (inherited.spec.has_value() && !whole.has_range()) {
    return Reached::kMessage;
  }
  return CompareSessions(input, inherited, whole, plain);
}

template <typename Message>
constexpr bool kIsRequest = [] {
  bool is_request = false;
  wire::ForEachOperation([&]<typename Operation>() {
    is_request = is_request || std::same_as<Message, typename Operation::Request>;
  });
  return is_request;
}();

template <typename Message>
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
  if constexpr (kIsRequest<Message>) {
    return CompareRequests(input, *received, generated);
  } else {
    return Reached::kMessage;
  }
}

}  // namespace

absl::StatusOr<Reached> CompareCodec(const FuzzInput& input) {
  return VisitMessage(input.message_type,
                      [&]<typename Message>() { return Compare<Message>(input); });
}

}  // namespace quantd::fuzz
