// Received messages with tensors, whose elements are not copied.

#ifndef QUANTD_WIRE_RECEIVED_MESSAGE_H_
#define QUANTD_WIRE_RECEIVED_MESSAGE_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/scattered_bytes.h"
#include "wire/known_fields.h"
#include "wire/message.h"
#include "wire/operations.h"
#include "wire/slices.h"
#include "wire/split_message.h"

namespace quantd::wire {

// The request or the response of an operation, accepted and refused exactly as
// the generated class does. The elements of its tensors stay in the transport's
// memory, which the message keeps alive. Fields that the schema does not have are dropped, and so
// are the dimensions of a tensor beyond kMaxRank + 1.
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
    std::optional<SplitMessage> split = Split(PiecesOf(received.slices_), Fields());
    if (!split.has_value() || !received.message_.ParseFromString(split->rest)) {
      return MalformedMessage(buffer, received.message_);
    }
    received.copies_ = std::move(split->copies);
    received.elements_ = std::move(split->elements);
    return received;
  }

  // Returns about how many bytes Parse() allocates at most besides those of `buffer`, without
  // parsing it.
  static std::size_t ParsingBytes(const grpc::ByteBuffer& buffer) {
    // A look would take longer than it is worth: whatever is in it and however it is cut.
    constexpr std::size_t kSmallBytes = 4096;
    constexpr std::size_t kMostBytesPerByte = 20;
    if (buffer.Length() <= kSmallBytes) {
      return kMostBytesPerByte * buffer.Length();
    }
    const std::optional<std::vector<grpc::Slice>> slices = SlicesOf(buffer);
    return slices.has_value() ? wire::ParsingBytes(PiecesOf(*slices), Fields()) +
                                    BytesOfSlices(slices->size(), buffer.Length())
                              : 0;
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

  static const KnownFields& Fields() {
    static const KnownFields fields(*Message::descriptor(), kFieldNumbers);
    return fields;
  }

  std::vector<grpc::Slice> slices_;
  Message message_;
  std::vector<core::ScatteredBytes> elements_;
  std::list<std::string> copies_;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_RECEIVED_MESSAGE_H_
