#include "tests/fuzz/codec_comparison.h"

#include <google/protobuf/message.h>
#include <grpc/slice.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "core/base/scattered_elements.h"
#include "core/fake_quantization.h"
#include "quantd/v1/quantization_service.pb.h"
#include "server/operations/codec.h"
#include "tests/fuzz/plain_decoding.h"
#include "wire/received_message.h"
#include "wire/tensor_bytes.h"
#include "wire/tensor_fields.h"

namespace quantd::fuzz {
namespace {

// Larger tensors take longer, and show no more.
constexpr std::size_t kMaxComputedElements = 4096;

// More only cost time.
constexpr std::size_t kMaxSlices = 64;

absl::Status Difference(absl::string_view what) {
  return absl::InternalError(absl::StrCat("the codec differs in ", what));
}

// A slice with memory of its own, so that the address sanitizer sees its ends.
// (gRPC would join short ones without.)
grpc::Slice MakeSlice(std::span<const std::uint8_t> bytes) {
  grpc_slice slice = grpc_slice_malloc_large(bytes.size());
  std::ranges::copy(bytes, GRPC_SLICE_START_PTR(slice));
  return {slice, grpc::Slice::STEAL_REF};
}

// The length of slice `index` of a message of which `remaining` bytes are left.
std::size_t SliceLength(const FuzzInput& input, std::size_t index, std::size_t remaining) {
  if (index + 1 >= kMaxSlices || input.slice_lengths.empty()) {
    return remaining;
  }
  return std::min<std::size_t>(input.slice_lengths[index % input.slice_lengths.size()], remaining);
}

grpc::ByteBuffer Cut(const FuzzInput& input) {
  std::vector<grpc::Slice> slices;
  for (std::span<const std::uint8_t> rest = input.message; !rest.empty();) {
    const std::size_t length = SliceLength(input, slices.size(), rest.size());
    slices.push_back(MakeSlice(rest.first(length)));
    rest = rest.subspan(length);
  }
  return {slices.data(), slices.size()};
}

// The buffer is gone when this returns.
template <typename Message>
absl::StatusOr<wire::ReceivedMessage<Message>> Receive(const FuzzInput& input) {
  return wire::ReceivedMessage<Message>::Parse(Cut(input));
}

std::string Join(const wire::TensorBytes& bytes) {
  std::string joined;
  for (const wire::TensorBytes::Piece piece : bytes.pieces()) {
    const void* const begin = piece.data();
    joined.append(static_cast<const char*>(begin), piece.size());
  }
  return joined;
}

// The bytes of `message` without the elements of its tensors.
std::string SerializeWithoutElements(google::protobuf::Message& message,
                                     std::span<const int> tensor_fields) {
  for (const int number : tensor_fields) {
    const auto* const field = message.GetDescriptor()->FindFieldByNumber(number);
    if (!message.GetReflection()->HasField(message, field)) {
      continue;
    }
    auto& tensor =
        dynamic_cast<v1::Tensor&>(*message.GetReflection()->MutableMessage(&message, field));
    if (tensor.has_data()) {
      tensor.mutable_data()->clear();
    }
    if (tensor.has_float_values()) {
      tensor.mutable_float_values()->clear_values();
    }
  }
  return message.SerializeAsString();
}

// Of messages that both parsers took.
template <typename Message>
absl::Status CompareMessages(const wire::ReceivedMessage<Message>& received,
                             const Message& generated) {
  const auto tensors = wire::TensorFields<Message>::Get(generated);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const wire::TensorBytes& elements = received.elements(i);
    if (Join(elements) != ElementBytes(*tensors[i])) {
      return Difference(absl::StrCat("the elements of tensor ", i));
    }
    if (std::ranges::any_of(elements.pieces(), [](auto piece) { return piece.empty(); })) {
      return Difference(absl::StrCat("tensor ", i, ": it has an empty piece"));
    }
  }
  Message actual = received.message();
  Message expected = generated;
  if (SerializeWithoutElements(actual, wire::TensorFields<Message>::kNumbers) !=
      SerializeWithoutElements(expected, wire::TensorFields<Message>::kNumbers)) {
    return Difference("the message");
  }
  return absl::OkStatus();
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

template <typename T>
bool SameBits(std::span<const T> actual, std::span<const T> expected) {
  return actual.size() == expected.size() &&
         (actual.empty() || std::memcmp(actual.data(), expected.data(), actual.size_bytes()) == 0);
}

bool SameBits(std::span<const float> actual, const std::vector<float>& expected) {
  return SameBits(actual, std::span(expected));
}

bool SameSpec(const core::QuantizationSpec& actual, const core::QuantizationSpec& expected) {
  return actual.num_bits == expected.num_bits && actual.narrow_range == expected.narrow_range &&
         actual.numerics == expected.numerics;
}

absl::Status CompareTensor(const server::FloatTensor& actual, const PlainTensor& expected) {
  std::vector<float> elements(actual.elements.size());
  actual.elements.CopyTo(0, elements);
  if (!std::ranges::equal(actual.shape, expected.shape)) {
    return Difference("a shape");
  }
  return SameBits(elements, expected.elements) ? absl::OkStatus()
                                               : Difference("a tensor's elements");
}

std::vector<server::FloatTensor> TensorsOf(const server::FakeQuantizeArguments& arguments) {
  return {arguments.input};
}

std::vector<server::FloatTensor> TensorsOf(const server::FakeQuantizeGradientArguments& arguments) {
  return {arguments.gradients, arguments.inputs};
}

template <typename Arguments>
absl::Status CompareArguments(const Arguments& actual, const PlainArguments& expected) {
  const std::vector<server::FloatTensor> tensors = TensorsOf(actual);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (absl::Status status = CompareTensor(tensors[i], expected.tensors[i]); !status.ok()) {
      return status;
    }
  }
  if (!SameBits(actual.range.min, expected.min) || !SameBits(actual.range.max, expected.max) ||
      actual.range.axis != expected.axis) {
    return Difference("the range");
  }
  return SameSpec(actual.spec, expected.spec) ? absl::OkStatus() : Difference("the spec");
}

absl::StatusOr<std::vector<float>> Compute(const core::FakeQuantization& quantization,
                                           std::span<const core::ScatteredElements> tensors) {
  std::vector<float> output(quantization.element_count());
  if (tensors.size() == 1) {
    if (absl::Status status = quantization.Apply(tensors[0], output, nullptr); !status.ok()) {
      return status;
    }
    return output;
  }
  const std::size_t channels = quantization.channel_count();
  std::vector<float> sums(2 * channels);
  const core::FakeQuantization::Gradients result{.input = output,
                                                 .min = std::span(sums).first(channels),
                                                 .max = std::span(sums).last(channels)};
  if (absl::Status status = quantization.ApplyGradient(tensors[0], tensors[1], result, nullptr);
      !status.ok()) {
    return status;
  }
  output.insert(output.end(), sums.begin(), sums.end());
  return output;
}

// Of what core makes of the elements in pieces and in one piece.
absl::StatusOr<Reached> CompareElements(std::span<const server::FloatTensor> tensors,
                                        const PlainArguments& plain) {
  const core::Range range{.min = plain.min, .max = plain.max, .axis = plain.axis};
  const auto quantization =
      core::FakeQuantization::Create(plain.tensors[0].shape, range, plain.spec);
  if (!quantization.ok() || quantization->element_count() > kMaxComputedElements) {
    return Reached::kArguments;
  }
  std::vector<core::ScatteredElements> in_pieces;
  std::vector<core::ScatteredElements> in_one_piece;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    in_pieces.push_back(tensors[i].elements);
    in_one_piece.emplace_back(std::span<const float>(plain.tensors[i].elements));
  }
  const auto actual = Compute(*quantization, in_pieces);
  const auto expected = Compute(*quantization, in_one_piece);
  if (!actual.ok() || !expected.ok() || !SameBits(*actual, *expected)) {
    return Difference("what is computed from the elements");
  }
  return Reached::kElements;
}

server::RequestDefaults DefaultsOf(const FuzzInput& input) {
  server::RequestDefaults defaults;
  if (input.inherits_range) {
    v1::Range& range = defaults.range.emplace();
    range.add_min(-1);
    range.add_max(2);
  }
  if (input.inherits_spec) {
    v1::QuantizationSpec& spec = defaults.spec.emplace();
    spec.set_num_bits(4);
    spec.set_narrow_range(true);
  }
  return defaults;
}

template <typename Request>
absl::StatusOr<Reached> CompareDecoding(const FuzzInput& input,
                                        const wire::ReceivedMessage<Request>& received,
                                        const Request& generated) {
  const server::RequestDefaults defaults = DefaultsOf(input);
  const auto actual = server::Decode(received, defaults);
  const auto expected = PlainDecode(generated, defaults);
  if (absl::Status status = CompareVerdicts("decoding", actual.status(), expected.status());
      !status.ok()) {
    return status;
  }
  if (!expected.ok()) {
    return Reached::kMessage;
  }
  if (absl::Status status = CompareArguments(*actual, *expected); !status.ok()) {
    return status;
  }
  return CompareElements(TensorsOf(*actual), *expected);
}

template <typename Message>
constexpr bool kIsRequest = std::is_same_v<Message, v1::FakeQuantizeRequest> ||
                            std::is_same_v<Message, v1::FakeQuantizeGradientRequest>;

template <typename Message>
absl::StatusOr<Reached> Compare(const FuzzInput& input) {
  Message generated;
  const bool valid =
      generated.ParseFromArray(input.message.data(), static_cast<int>(input.message.size()));
  const absl::StatusOr<wire::ReceivedMessage<Message>> received = Receive<Message>(input);
  if (!valid) {
    absl::Status status = CompareVerdicts(
        "parsing", received.status(),
        core::InvalidArgument("refused",
                              {.reason = "MALFORMED_MESSAGE", .field = {}, .metadata = {}}));
    return status.ok() ? absl::StatusOr<Reached>(Reached::kRefusal) : status;
  }
  if (!received.ok()) {
    return Difference(absl::StrCat("the verdict of parsing: it refuses a ", generated.GetTypeName(),
                                   " that is valid"));
  }
  if (absl::Status status = CompareMessages(*received, generated); !status.ok()) {
    return status;
  }
  if constexpr (kIsRequest<Message>) {
    return CompareDecoding(input, *received, generated);
  }
  return Reached::kMessage;
}

}  // namespace

absl::StatusOr<Reached> CompareCodec(const FuzzInput& input) {
  switch (input.type) {
    case MessageType::kFakeQuantizeRequest:
      return Compare<v1::FakeQuantizeRequest>(input);
    case MessageType::kFakeQuantizeGradientRequest:
      return Compare<v1::FakeQuantizeGradientRequest>(input);
    case MessageType::kFakeQuantizeResponse:
      return Compare<v1::FakeQuantizeResponse>(input);
    case MessageType::kFakeQuantizeGradientResponse:
      break;
  }
  return Compare<v1::FakeQuantizeGradientResponse>(input);
}

}  // namespace quantd::fuzz
