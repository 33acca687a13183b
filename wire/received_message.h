// Received messages with tensors, whose elements are not copied.

#ifndef QUANTD_WIRE_RECEIVED_MESSAGE_H_
#define QUANTD_WIRE_RECEIVED_MESSAGE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/scattered_bytes.h"
#include "core/base/status_macros.h"
#include "wire/message.h"
#include "wire/operations.h"
#include "wire/split_message.h"

namespace quantd::wire {

// Returns the slices of `buffer`, which must be valid, or nothing if they are
// compressed and cannot be read.
std::optional<std::vector<grpc::Slice>> SlicesOf(const grpc::ByteBuffer& buffer);

std::vector<core::ScatteredBytes::Piece> PiecesOf(const std::vector<grpc::Slice>& slices);

// Returns the elements that lie within a parsed message.
core::ScatteredBytes ElementsOf(const v1::Tensor& tensor);

// The request or the response of an operation, accepted and refused exactly as
// the generated class does. The elements of its tensors stay in the transport's
// memory, which the message keeps alive.
template <typename Message>
class ReceivedMessage {
 public:
  // Errors: MALFORMED_MESSAGE if the bytes are not a Message.
  static absl::StatusOr<ReceivedMessage> Parse(const grpc::ByteBuffer& buffer) {
    std::optional<std::vector<grpc::Slice>> slices = SlicesOf(buffer);
    if (!slices.has_value()) {
      return MalformedMessage(buffer, Message());
    }
    ReceivedMessage received;
    received.slices_ = *std::move(slices);
    std::optional<SplitMessage> split = Split(PiecesOf(received.slices_), kFieldNumbers);
    if (!split.has_value()) {
      return ParseWhole(buffer);
    }
    if (!received.message_.ParseFromString(split->rest)) {
      return MalformedMessage(buffer, received.message_);
    }
    received.elements_ = std::move(split->elements);
    return received;
  }

  ReceivedMessage(ReceivedMessage&&) noexcept = default;
  ReceivedMessage& operator=(ReceivedMessage&&) noexcept = default;

  // The message. It says which storage a tensor has, but the elements themselves
  // may be missing from it.
  const Message& message() const { return message_; }
  Message& mutable_message() { return message_; }

  // The elements of a tensor, by its place in kTensorFields<Message>: the bytes of
  // `data`, or those of all `float_values`. Valid as long as this message.
  const core::ScatteredBytes& elements(std::size_t tensor) const {
    assert(tensor < elements_.size());
    return elements_[tensor];
  }

 private:
  static constexpr auto kFieldNumbers = [] {
    std::array<int, kTensorFields<Message>.size()> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = kTensorFields<Message>[i].number;
    }
    return numbers;
  }();

  ReceivedMessage() = default;

  // Parses a message in a rare form, with copies.
  static absl::StatusOr<ReceivedMessage> ParseWhole(const grpc::ByteBuffer& buffer) {
    ReceivedMessage received;
    RETURN_IF_ERROR(ParseMessage(buffer, received.message_));
    for (const TensorField<Message>& field : kTensorFields<Message>) {
      received.elements_.push_back(ElementsOf((received.message_.*field.get)()));
    }
    return received;
  }

  std::vector<grpc::Slice> slices_;
  Message message_;
  std::vector<core::ScatteredBytes> elements_;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_RECEIVED_MESSAGE_H_
