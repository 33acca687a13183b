#include "wire/split_message.h"

#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "quantd/v1/tensor.pb.h"
#include "wire/varint.h"

namespace quantd::wire {
namespace {

using google::protobuf::internal::WireFormatLite;

// Protobuf's limit for lengths, less the margin that its parser reserves.
constexpr std::uint64_t kMaxLength = std::numeric_limits<std::int32_t>::max() - 16;

constexpr std::size_t kMaxVarintBytes = 10;

// Reads pieces of bytes as one sequence. The position is undefined after a read
// that failed.
class Reader {
 public:
  explicit Reader(std::span<const core::ScatteredBytes::Piece> pieces) : pieces_(pieces) {
    for (const core::ScatteredBytes::Piece piece : pieces) {
      remaining_ += piece.size();
    }
    SkipEmpty();
  }

  std::size_t remaining() const { return remaining_; }

  // The next varint, in its shortest form and within 64 bits.
  std::optional<std::uint64_t> ReadVarint() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kMaxVarintBytes && remaining_ > 0; ++i) {
      const std::uint64_t byte = ReadByte();
      value |= (byte & 0x7F) << (7 * i);
      if (byte < 0x80) {
        const bool shortest = i == 0 || byte != 0;
        const bool fits = i < kMaxVarintBytes - 1 || byte <= 1;
        return shortest && fits ? std::optional(value) : std::nullopt;
      }
    }
    return std::nullopt;
  }

  // Calls take(piece) for each piece of the next `count` bytes; returns false if
  // there are fewer.
  template <typename Take>
  bool Read(std::uint64_t count, Take take) {
    if (count > remaining_) {
      return false;
    }
    while (count > 0) {
      const std::size_t size = std::min<std::size_t>(count, pieces_.front().size() - offset_);
      take(pieces_.front().subspan(offset_, size));
      Advance(size);
      count -= size;
    }
    return true;
  }

  bool Read(std::uint64_t count, std::string& copy) {
    return Read(count, [&copy](core::ScatteredBytes::Piece piece) {
      const void* const bytes = piece.data();
      copy.append(static_cast<const char*>(bytes), piece.size());
    });
  }

 private:
  std::uint8_t ReadByte() {
    const auto byte = std::to_integer<std::uint8_t>(pieces_.front()[offset_]);
    Advance(1);
    return byte;
  }

  void Advance(std::size_t count) {
    offset_ += count;
    remaining_ -= count;
    SkipEmpty();
  }

  void SkipEmpty() {
    while (!pieces_.empty() && offset_ == pieces_.front().size()) {
      pieces_ = pieces_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const core::ScatteredBytes::Piece> pieces_;
  std::size_t offset_ = 0;
  std::size_t remaining_ = 0;
};

struct Tag {
  std::uint32_t number;
  WireFormatLite::WireType type;
  std::uint32_t value;
};

std::optional<Tag> ReadTag(Reader& reader) {
  const std::optional<std::uint64_t> value = reader.ReadVarint();
  if (!value.has_value() || *value > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  const auto tag = static_cast<std::uint32_t>(*value);
  const auto number = static_cast<std::uint32_t>(WireFormatLite::GetTagFieldNumber(tag));
  if (number == 0) {
    return std::nullopt;
  }
  return Tag{.number = number, .type = WireFormatLite::GetTagWireType(tag), .value = tag};
}

// Reads the length of a field that must leave at least `end` bytes behind it.
// Here and below, an end is given as the number of bytes that follow it.
std::optional<std::uint64_t> ReadLength(Reader& reader, std::size_t end) {
  const std::optional<std::uint64_t> length = reader.ReadVarint();
  if (!length.has_value() || *length > kMaxLength || reader.remaining() < end ||
      *length > reader.remaining() - end) {
    return std::nullopt;
  }
  return length;
}

// Copies the field that follows `tag`.
bool CopyField(Reader& reader, const Tag& tag, std::size_t end, std::string& rest) {
  AppendVarint(tag.value, rest);
  switch (tag.type) {
    case WireFormatLite::WIRETYPE_VARINT: {
      const std::optional<std::uint64_t> value = reader.ReadVarint();
      if (!value.has_value()) {
        return false;
      }
      AppendVarint(*value, rest);
      return true;
    }
    case WireFormatLite::WIRETYPE_FIXED64:
      return reader.Read(sizeof(std::uint64_t), rest);
    case WireFormatLite::WIRETYPE_FIXED32:
      return reader.Read(sizeof(std::uint32_t), rest);
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
      const std::optional<std::uint64_t> length = ReadLength(reader, end);
      if (!length.has_value()) {
        return false;
      }
      AppendVarint(*length, rest);
      return reader.Read(*length, rest);
    }
    default:
      return false;
  }
}

bool ReadElements(Reader& reader, std::uint64_t length, core::ScatteredBytes& elements) {
  return reader.Read(length,
                     [&elements](core::ScatteredBytes::Piece piece) { elements.Add(piece); });
}

// Reads a FloatValues of `length` bytes: nothing, or one stretch of packed
// values.
bool ReadFloatValues(Reader& reader, std::uint64_t length, core::ScatteredBytes& elements) {
  if (length == 0) {
    return true;
  }
  const std::size_t end = reader.remaining() - length;
  const std::optional<Tag> tag = ReadTag(reader);
  if (!tag.has_value() || tag->number != v1::FloatValues::kValuesFieldNumber ||
      tag->type != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
    return false;
  }
  const std::optional<std::uint64_t> size = ReadLength(reader, end);
  return size.has_value() && *size == reader.remaining() - end && *size % sizeof(float) == 0 &&
         ReadElements(reader, *size, elements);
}

bool IsStorage(const Tag& tag) {
  return tag.type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED &&
         (tag.number == v1::Tensor::kDataFieldNumber ||
          tag.number == v1::Tensor::kFloatValuesFieldNumber ||
          tag.number == v1::Tensor::kSharedMemoryFieldNumber);
}

// Splits a Tensor of `length` bytes.
bool SplitTensor(Reader& reader, std::uint64_t length, std::string& rest,
                 core::ScatteredBytes& elements) {
  const std::size_t end = reader.remaining() - length;
  bool has_storage = false;
  while (reader.remaining() > end) {
    const std::optional<Tag> tag = ReadTag(reader);
    // The last of several members of a oneof counts, and messages merge: leave that
    // to protobuf.
    if (!tag.has_value() || (IsStorage(*tag) && has_storage)) {
      return false;
    }
    has_storage = has_storage || IsStorage(*tag);
    if (!IsStorage(*tag) || tag->number == v1::Tensor::kSharedMemoryFieldNumber) {
      if (!CopyField(reader, *tag, end, rest)) {
        return false;
      }
      continue;
    }
    const std::optional<std::uint64_t> size = ReadLength(reader, end);
    if (!size.has_value() ||
        !(tag->number == v1::Tensor::kDataFieldNumber ? ReadElements(reader, *size, elements)
                                                      : ReadFloatValues(reader, *size, elements))) {
      return false;
    }
    AppendVarint(tag->value, rest);
    AppendVarint(0, rest);
  }
  return reader.remaining() == end;
}

}  // namespace

std::optional<SplitMessage> Split(std::span<const core::ScatteredBytes::Piece> pieces,
                                  std::span<const int> tensor_fields) {
  Reader reader(pieces);
  SplitMessage result;
  result.elements.resize(tensor_fields.size());
  std::vector<bool> seen(tensor_fields.size());
  std::string tensor_rest;
  while (reader.remaining() > 0) {
    const std::optional<Tag> tag = ReadTag(reader);
    if (!tag.has_value()) {
      return std::nullopt;
    }
    const auto field = std::ranges::find(tensor_fields, static_cast<int>(tag->number));
    if (field == tensor_fields.end() || tag->type != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!CopyField(reader, *tag, 0, result.rest)) {
        return std::nullopt;
      }
      continue;
    }
    const auto index = static_cast<std::size_t>(field - tensor_fields.begin());
    const std::optional<std::uint64_t> length = ReadLength(reader, 0);
    tensor_rest.clear();
    // A tensor that occurs twice is merged: leave that to protobuf.
    if (!length.has_value() || seen[index] ||
        !SplitTensor(reader, *length, tensor_rest, result.elements[index])) {
      return std::nullopt;
    }
    seen[index] = true;
    AppendVarint(tag->value, result.rest);
    AppendVarint(tensor_rest.size(), result.rest);
    result.rest += tensor_rest;
  }
  return result;
}

}  // namespace quantd::wire
