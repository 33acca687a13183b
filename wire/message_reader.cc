#include "wire/message_reader.h"

#include <limits>

#include "absl/container/inlined_vector.h"

namespace quantd::wire {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr int kBitsPerByte = 7;
constexpr std::uint8_t kContinues = 0x80;

constexpr int kMaxVarintBytes = 10;
// Of tags and lengths, which have 32 bits.
constexpr int kMaxShortVarintBytes = 5;

// Protobuf's limit for lengths, less the margin that its parser reserves.
constexpr std::uint64_t kMaxLength = std::numeric_limits<std::int32_t>::max() - 16;

}  // namespace

MessageReader::MessageReader(std::span<const Piece> pieces) : pieces_(pieces) {
  for (const Piece piece : pieces) {
    remaining_ += piece.size();
  }
  TakeNextPiece();
}

std::optional<std::uint64_t> MessageReader::ReadLongVarint() {
  std::uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes && remaining_ > 0; ++i) {
    const std::uint64_t byte = ReadByte();
    value |= (byte & (kContinues - 1)) << (kBitsPerByte * i);
    if (byte < kContinues) {
      return value;
    }
  }
  return std::nullopt;
}

std::optional<Tag> MessageReader::ReadTag() {
  const std::size_t before = remaining_;
  const std::optional<std::uint64_t> value = ReadVarint();
  if (!value.has_value() || before - remaining_ > kMaxShortVarintBytes) {
    return std::nullopt;
  }
  const auto tag = static_cast<std::uint32_t>(*value);
  const auto number = static_cast<std::uint32_t>(WireFormatLite::GetTagFieldNumber(tag));
  if (number == 0) {
    return std::nullopt;
  }
  return Tag{.number = number, .type = WireFormatLite::GetTagWireType(tag), .value = tag};
}

std::optional<std::size_t> MessageReader::ReadLength(std::size_t end) {
  const std::size_t before = remaining_;
  const std::optional<std::uint64_t> length = ReadVarint();
  if (!length.has_value() || before - remaining_ > kMaxShortVarintBytes || *length > kMaxLength ||
      remaining_ < end || *length > remaining_ - end) {
    return std::nullopt;
  }
  return *length;
}

bool MessageReader::SkipValue(const Tag& tag, std::size_t end, std::size_t max_groups) {
  if (tag.type != WireFormatLite::WIRETYPE_START_GROUP) {
    return SkipPlainValue(tag, end);
  }
  // The numbers of the groups that are open.
  absl::InlinedVector<std::uint32_t, 8> open;
  open.push_back(tag.number);
  while (!open.empty()) {
    if (open.size() > max_groups || remaining_ <= end) {
      return false;
    }
    const std::optional<Tag> next = ReadTag();
    if (!next.has_value()) {
      return false;
    }
    if (next->type == WireFormatLite::WIRETYPE_START_GROUP) {
      open.push_back(next->number);
    } else if (next->type == WireFormatLite::WIRETYPE_END_GROUP) {
      if (next->number != open.back()) {
        return false;
      }
      open.pop_back();
    } else if (!SkipPlainValue(*next, end)) {
      return false;
    }
  }
  return remaining_ >= end;
}

bool MessageReader::SkipPlainValue(const Tag& tag, std::size_t end) {
  const auto skip = [this](std::size_t count) { return Read(count, [](Piece /*piece*/) {}); };
  switch (tag.type) {
    case WireFormatLite::WIRETYPE_VARINT:
      return ReadVarint().has_value();
    case WireFormatLite::WIRETYPE_FIXED64:
      return skip(sizeof(std::uint64_t));
    case WireFormatLite::WIRETYPE_FIXED32:
      return skip(sizeof(std::uint32_t));
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
      const std::optional<std::size_t> length = ReadLength(end);
      return length.has_value() && skip(*length);
    }
    default:
      return false;
  }
}

bool MessageReader::Read(std::size_t count, std::string& copy) {
  return Read(count, [&copy](Piece piece) {
    const void* const bytes = piece.data();
    copy.append(static_cast<const char*>(bytes), piece.size());
  });
}

void MessageReader::TakeNextPiece() {
  while (piece_.empty() && !pieces_.empty()) {
    piece_ = pieces_.front();
    pieces_ = pieces_.subspan(1);
  }
}

}  // namespace quantd::wire
