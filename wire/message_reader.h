// The primitives of protobuf's wire format, read from pieces of memory.
// (https://protobuf.dev/programming-guides/encoding)

#ifndef QUANTD_WIRE_MESSAGE_READER_H_
#define QUANTD_WIRE_MESSAGE_READER_H_

#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/base/scattered_bytes.h"

namespace quantd::wire {

struct Tag {
  std::uint32_t number;
  google::protobuf::internal::WireFormatLite::WireType type;
  std::uint32_t value;
};

// Reads pieces of bytes as one sequence. Accepts exactly what protobuf's parser does:
// numbers may be longer than necessary, and lose what does not fit. The position is
// undefined after a read that failed. Does not own the pieces.
//
// Here and for its users, an end is given as the number of bytes that follow it.
class MessageReader {
 public:
  using Piece = core::ScatteredBytes::Piece;

  explicit MessageReader(std::span<const Piece> pieces);

  std::size_t remaining() const { return remaining_; }

  // The next varint.
  std::optional<std::uint64_t> ReadVarint() {
    if (remaining_ > 0 && std::to_integer<std::uint8_t>(piece_.front()) < 0x80) {
      return ReadByte();
    }
    return ReadLongVarint();
  }

  // The next tag, whose number is not 0.
  std::optional<Tag> ReadTag();

  // The length of a field that must leave at least `end` bytes behind it.
  std::optional<std::size_t> ReadLength(std::size_t end);

  // Skips the value of a field that has `tag`: a group with all that it contains. At most
  // `max_groups` may be open at a time. Returns false if the value is malformed or not
  // complete before `end`.
  bool SkipValue(const Tag& tag, std::size_t end, std::size_t max_groups);

  // Calls take(piece) for each piece of the next `count` bytes. Returns false if there are
  // fewer.
  template <typename Take>
  bool Read(std::size_t count, Take take) {
    if (count > remaining_) {
      return false;
    }
    while (count > 0) {
      const std::size_t size = std::min(count, piece_.size());
      take(piece_.first(size));
      Advance(size);
      count -= size;
    }
    return true;
  }

  // Appends the next `count` bytes to `copy`.
  bool Read(std::size_t count, std::string& copy);

 private:
  std::uint8_t ReadByte() {
    const auto byte = std::to_integer<std::uint8_t>(piece_.front());
    Advance(1);
    return byte;
  }

  void Advance(std::size_t count) {
    piece_ = piece_.subspan(count);
    remaining_ -= count;
    if (piece_.empty()) {
      TakeNextPiece();
    }
  }

  // The next varint, of any length.
  std::optional<std::uint64_t> ReadLongVarint();

  // Goes on with the next piece that is not empty, if there is one.
  void TakeNextPiece();

  // Skips a value that is not a group.
  bool SkipPlainValue(const Tag& tag, std::size_t end);

  // What is left of the current piece, and the pieces behind it.
  Piece piece_;
  std::span<const Piece> pieces_;
  std::size_t remaining_ = 0;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_MESSAGE_READER_H_
