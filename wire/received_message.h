// Messages with tensors as they are received: without a copy of the elements.

#ifndef QUANTD_WIRE_RECEIVED_MESSAGE_H_
#define QUANTD_WIRE_RECEIVED_MESSAGE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "wire/message.h"
#include "wire/split_message.h"
#include "wire/tensor_bytes.h"
#include "wire/tensor_fields.h"

namespace quantd::wire {

// The bytes of `buffer`, which must be valid, where they lie; nothing where
// they are compressed and cannot be read.
std::optional<std::vector<grpc::Slice>> SlicesOf(const grpc::ByteBuffer& buffer);

std::vector<TensorBytes::Piece> PiecesOf(const std::vector<grpc::Slice>& slices);

// The elements that lie in a parsed message itself.
TensorBytes ElementsOf(const v1::Tensor& tensor);

// A message of the schema, accepted and refused exactly as the generated class
// does. The elements of its tensors stay in the transport's memory, which the
// message holds on to.
template <typename Message>
class ReceivedMessage {
 public:
  // Errors: MALFORMED_MESSAGE where the bytes are no Message.
  static absl::StatusOr<ReceivedMessage> Parse(const grpc::ByteBuffer& buffer) {
    std::optional<std::vector<grpc::Slice>> slices = SlicesOf(buffer);
    if (!slices.has_value()) {
      return MalformedMessage(buffer, Message());
    }
    ReceivedMessage received;
    received.slices_ = *std::move(slices);
    std::optional<SplitMessage> split =
        Split(PiecesOf(received.slices_), TensorFields<Message>::kNumbers);
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

  // The message. Which storage its tensors have is right, but the elements may
  // be missing from it.
  const Message& message() const& { return message_; }
  Message message() && { return std::move(message_); }

  // The elements of a tensor, by its place in TensorFields<Message>: the bytes
  // of `data`, or those of all `float_values`. Refers to this.
  const TensorBytes& elements(std::size_t tensor) const { return elements_[tensor]; }

 private:
  ReceivedMessage() = default;

  // In a form that is rare, and parsed with copies.
  static absl::StatusOr<ReceivedMessage> ParseWhole(const grpc::ByteBuffer& buffer) {
    ReceivedMessage received;
    if (absl::Status status = ParseMessage(buffer, received.message_); !status.ok()) {
      return status;
    }
    for (const v1::Tensor* tensor : TensorFields<Message>::Get(received.message_)) {
      received.elements_.push_back(ElementsOf(*tensor));
    }
    return received;
  }

  std::vector<grpc::Slice> slices_;
  Message message_;
  std::vector<TensorBytes> elements_;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_RECEIVED_MESSAGE_H_
