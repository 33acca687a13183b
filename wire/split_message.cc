#include "wire/split_message.h"

#include <google/protobuf/wire_format_lite.h>

#include <cassert>
#include <cstdint>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "quantd/v1/tensor.pb.h"
#include "wire/message_reader.h"
#include "wire/varint.h"

namespace quantd::wire {
namespace {

using Role = KnownFields::Role;
using google::protobuf::internal::WireFormatLite;

// Protobuf's limit for messages and groups within each other.
constexpr std::size_t kMaxDepth = 100;

// The most bytes by which `rest` may exceed the message: each dimension that is kept gets a tag.
constexpr std::size_t kMostGrowth = kMaxRank + 1;

// Of a request for a whole tensor.
constexpr std::size_t kUsualRestBytes = 64;

// Stretches of elements that are smaller than this are not worth a piece of their own.
constexpr std::size_t kSmallStretchBytes = 256;

// Writes `length` as a varint of exactly the bytes of `place`. Parsers accept lengths that are
// longer than necessary.
void WriteLength(std::size_t length, std::span<char> place) {
  for (char& byte : place.first(place.size() - 1)) {
    byte = static_cast<char>(length | 0x80);
    length >>= 7;
  }
  assert(length < 0x80);
  place.back() = static_cast<char>(length);
}

// The elements of one tensor, in the order in which they come.
class ElementCollector {
 public:
  // Notes that a member of the oneof `storage` follows. Several times `float_values` merge;
  // otherwise the last member counts.
  void Begin(Role storage) {
    if (storage != storage_ || storage == Role::kData) {
      elements_.Clear();
      copies_.clear();
      run_ = nullptr;
    }
    storage_ = storage;
  }

  // Adds the next `size` bytes.
  bool Add(MessageReader& reader, std::size_t size) {
    if (size < kSmallStretchBytes && (elements_.size() > 0 || run_ != nullptr)) {
      return AddCopy(reader, size);
    }
    EndRun();
    return reader.Read(size, [this](MessageReader::Piece piece) { elements_.Add(piece); });
  }

  // The same, but copies them.
  bool AddCopy(MessageReader& reader, std::size_t size) {
    if (run_ == nullptr) {
      run_ = &copies_.emplace_back();
    }
    return reader.Read(size, *run_);
  }

  // Moves all of them to `message`.
  void MoveTo(SplitMessage& message) && {
    EndRun();
    message.elements.push_back(std::move(elements_));
    message.copies.splice(message.copies.end(), copies_);
  }

  // The number of dimensions so far, up to one more than kMaxRank.
  std::size_t rank = 0;

 private:
  // Adds the copies that lie behind `elements_`.
  void EndRun() {
    if (run_ != nullptr) {
      elements_.Add(std::as_bytes(std::span(*std::exchange(run_, nullptr))));
    }
  }

  std::optional<Role> storage_;
  core::ScatteredBytes elements_;
  std::list<std::string> copies_;
  // Grows until something else comes.
  std::string* run_ = nullptr;
};

// Splits one message.
class Splitter {
 public:
  Splitter(std::span<const core::ScatteredBytes::Piece> pieces, const KnownFields& fields)
      : fields_(fields), reader_(pieces), tensors_(fields.tensor_count()) {
    result_.rest.reserve(kUsualRestBytes);
  }

  std::optional<SplitMessage> Split() && {
    if (!SplitFields(fields_, 0, kMaxDepth)) {
      return std::nullopt;
    }
    for (ElementCollector& tensor : tensors_) {
      std::move(tensor).MoveTo(result_);
    }
    return std::move(result_);
  }

 private:
  // Splits fields until `end`. `depth` is how many messages and groups may lie within each
  // other here.
  // NOLINTNEXTLINE(misc-no-recursion): as deep as the schema.
  bool SplitFields(const KnownFields& fields, std::size_t end, std::size_t depth) {
    while (reader_.remaining() > end) {
      const std::optional<Tag> tag = reader_.ReadTag();
      if (!tag.has_value()) {
        return false;
      }
      const KnownFields::Field* const field = fields.Find(*tag);
      if (field == nullptr ? !reader_.SkipValue(*tag, end, depth)
                           : !SplitField(*field, *tag, end, depth)) {
        return false;
      }
    }
    return reader_.remaining() == end;
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the schema.
  bool SplitField(const KnownFields::Field& field, const Tag& tag, std::size_t end,
                  std::size_t depth) {
    switch (field.role) {
      case Role::kPlain:
        return CopyValue(tag, end);
      case Role::kMessage:
        return SplitNested(*field.message, tag, end, depth);
      case Role::kTensor:
        tensor_ = &tensors_[field.tensor];
        return SplitNested(*field.message, tag, end, depth);
      case Role::kShape:
        return CopyShape(tag, end);
      case Role::kSharedMemory:
        tensor_->Begin(field.role);
        return SplitNested(*field.message, tag, end, depth);
      case Role::kData:
      case Role::kFloatValues:
        break;
    }
    const std::optional<std::size_t> length = reader_.ReadLength(end);
    if (!length.has_value()) {
      return false;
    }
    AppendVarint(tag.value, result_.rest);
    AppendVarint(0, result_.rest);
    tensor_->Begin(field.role);
    return field.role == Role::kData ? tensor_->Add(reader_, *length)
                                     : SplitFloatValues(*length, depth);
  }

  // Copies the value of a number, a string or packed numbers.
  bool CopyValue(const Tag& tag, std::size_t end) {
    AppendVarint(tag.value, result_.rest);
    switch (tag.type) {
      case WireFormatLite::WIRETYPE_VARINT: {
        const std::optional<std::uint64_t> value = reader_.ReadVarint();
        if (!value.has_value()) {
          return false;
        }
        AppendVarint(*value, result_.rest);
        return true;
      }
      case WireFormatLite::WIRETYPE_FIXED64:
        return reader_.Read(sizeof(std::uint64_t), result_.rest);
      case WireFormatLite::WIRETYPE_FIXED32:
        return reader_.Read(sizeof(std::uint32_t), result_.rest);
      default:
        break;
    }
    const std::optional<std::size_t> length = reader_.ReadLength(end);
    if (!length.has_value()) {
      return false;
    }
    AppendVarint(*length, result_.rest);
    result_.rest.reserve(result_.rest.size() + *length);
    return reader_.Read(*length, result_.rest);
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the schema.
  bool SplitNested(const KnownFields& fields, const Tag& tag, std::size_t end, std::size_t depth) {
    const std::optional<std::size_t> length = reader_.ReadLength(end);
    if (!length.has_value() || depth == 0) {
      return false;
    }
    std::string& rest = result_.rest;
    AppendVarint(tag.value, rest);
    const std::size_t place = rest.size();
    AppendVarint(*length + kMostGrowth, rest);
    const std::size_t begin = rest.size();
    if (!SplitFields(fields, reader_.remaining() - *length, depth - 1)) {
      return false;
    }
    WriteLength(rest.size() - begin, std::span(rest).subspan(place, begin - place));
    return true;
  }

  // Copies dimensions one by one, as many as are kept.
  bool CopyShape(const Tag& tag, std::size_t end) {
    if (tag.type == WireFormatLite::WIRETYPE_VARINT) {
      return CopyDimension();
    }
    const std::optional<std::size_t> length = reader_.ReadLength(end);
    if (!length.has_value()) {
      return false;
    }
    const std::size_t shape_end = reader_.remaining() - *length;
    while (reader_.remaining() > shape_end) {
      if (!CopyDimension()) {
        return false;
      }
    }
    return reader_.remaining() == shape_end;
  }

  bool CopyDimension() {
    const std::optional<std::uint64_t> size = reader_.ReadVarint();
    if (!size.has_value()) {
      return false;
    }
    if (tensor_->rank <= kMaxRank) {
      ++tensor_->rank;
      AppendVarint(
          WireFormatLite::MakeTag(v1::Tensor::kShapeFieldNumber, WireFormatLite::WIRETYPE_VARINT),
          result_.rest);
      AppendVarint(*size, result_.rest);
    }
    return true;
  }

  // Takes the elements from a FloatValues of `length` bytes.
  bool SplitFloatValues(std::size_t length, std::size_t depth) {
    const std::size_t end = reader_.remaining() - length;
    while (reader_.remaining() > end) {
      const std::optional<Tag> tag = reader_.ReadTag();
      if (!tag.has_value() || !TakeFloats(*tag, end, depth - 1)) {
        return false;
      }
    }
    return reader_.remaining() == end;
  }

  // Takes a field of a FloatValues.
  bool TakeFloats(const Tag& tag, std::size_t end, std::size_t depth) {
    const bool is_known = tag.number == v1::FloatValues::kValuesFieldNumber;
    if (is_known && tag.type == WireFormatLite::WIRETYPE_FIXED32) {
      return tensor_->AddCopy(reader_, sizeof(float));
    }
    if (!is_known || tag.type != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      return reader_.SkipValue(tag, end, depth);
    }
    const std::optional<std::size_t> size = reader_.ReadLength(end);
    return size.has_value() && *size % sizeof(float) == 0 && tensor_->Add(reader_, *size);
  }

  const KnownFields& fields_;
  MessageReader reader_;
  SplitMessage result_;
  absl::InlinedVector<ElementCollector, 2> tensors_;
  // The one whose fields are being split.
  ElementCollector* tensor_ = nullptr;
};

// Adds up what the fields of a message cost.
class CostEstimate {
 public:
  explicit CostEstimate(std::span<const core::ScatteredBytes::Piece> pieces) : reader_(pieces) {}

  std::size_t Of(const KnownFields& fields) && {
    return AddFields(fields, 0) ? bytes_ : bytes_ + kCostOfVarints * reader_.remaining();
  }

 private:
  static constexpr int kMostFields = 64;

  // For each byte. A zero point of one byte becomes one of four in an array that grows by
  // doubling: the allocator keeps the smaller arrays for a while, too.
  static constexpr std::size_t kCostOfVarints = 15;
  // Floats are copied to `rest`, which grows likewise, and parsed.
  static constexpr std::size_t kCostOfOthers = 4;
  // Of these, those that are not packed are copied.
  static constexpr std::size_t kCostOfFloatValues = 2;

  // Returns false if it stopped before `end`.
  // NOLINTNEXTLINE(misc-no-recursion): as deep as the schema.
  bool AddFields(const KnownFields& fields, std::size_t end) {
    while (reader_.remaining() > end) {
      const std::optional<Tag> tag = ++looked_at_ <= kMostFields ? reader_.ReadTag() : std::nullopt;
      if (!tag.has_value()) {
        return false;
      }
      const KnownFields::Field* const field = fields.Find(*tag);
      const bool is_message =
          field != nullptr && field->message != nullptr && field->role != Role::kFloatValues;
      if (!(is_message ? AddMessage(*field->message, end) : AddValue(field, *tag, end))) {
        return false;
      }
    }
    return true;
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as the schema.
  bool AddMessage(const KnownFields& fields, std::size_t end) {
    const std::optional<std::size_t> length = reader_.ReadLength(end);
    return length.has_value() && AddFields(fields, reader_.remaining() - *length);
  }

  bool AddValue(const KnownFields::Field* field, const Tag& tag, std::size_t end) {
    const std::size_t before = reader_.remaining();
    // Groups may be long.
    if (!reader_.SkipValue(tag, end, /*max_groups=*/0)) {
      return false;
    }
    bytes_ += CostOf(field) * (before - reader_.remaining());
    return true;
  }

  static std::size_t CostOf(const KnownFields::Field* field) {
    if (field == nullptr || field->role == Role::kShape || field->role == Role::kData) {
      return 0;
    }
    if (field->role == Role::kFloatValues) {
      return kCostOfFloatValues;
    }
    const bool has_varints = (field->wire_types >> WireFormatLite::WIRETYPE_VARINT & 1U) != 0;
    return has_varints ? kCostOfVarints : kCostOfOthers;
  }

  MessageReader reader_;
  int looked_at_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace

std::size_t ParsingBytes(std::span<const core::ScatteredBytes::Piece> pieces,
                         const KnownFields& fields) {
  return CostEstimate(pieces).Of(fields);
}

std::optional<SplitMessage> Split(std::span<const core::ScatteredBytes::Piece> pieces,
                                  const KnownFields& fields) {
  return Splitter(pieces, fields).Split();
}

}  // namespace quantd::wire
