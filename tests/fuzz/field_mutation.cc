#include "tests/fuzz/field_mutation.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/repeated_field.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/element_type.h"
#include "core/support.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "server/operations/operation_kind.h"
#include "tests/fuzz/mutable_tensor.h"
#include "wire/element_type.h"
#include "wire/numerics.h"
#include "wire/operations.h"

namespace quantd::fuzz {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr std::size_t kMaxVarintBytes = 10;
constexpr std::int64_t kMaxRepairedElements = 1024;

struct Field {
  std::uint64_t tag = 0;
  // The value without its length.
  std::string content;
  // The bytes by which tag and length are longer than they need to be.
  std::size_t tag_padding = 0;
  std::size_t length_padding = 0;
};

WireFormatLite::WireType WireTypeOf(const Field& field) {
  return WireFormatLite::GetTagWireType(static_cast<std::uint32_t>(field.tag));
}

std::size_t Below(std::size_t bound, RandomNumbers& random) { return random() % bound; }

std::string EncodeVarint(std::uint64_t value, std::size_t padding = 0) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<char>(value | 0x80));
  }
  bytes.push_back(static_cast<char>(value));
  for (; padding > 0 && bytes.size() < kMaxVarintBytes; --padding) {
    bytes.back() = static_cast<char>(bytes.back() | 0x80);
    // The last byte has the highest of the 64 bits. This one is the next.
    bytes.push_back(bytes.size() + 1 == kMaxVarintBytes ? 2 : 0);
  }
  return bytes;
}

// Removes a varint from the front of `bytes` and returns its bytes.
std::optional<std::string_view> TakeVarint(std::string_view& bytes) {
  for (std::size_t i = 0; i < bytes.size() && i < kMaxVarintBytes; ++i) {
    if ((bytes[i] & 0x80) == 0) {
      const std::string_view varint = bytes.substr(0, i + 1);
      bytes.remove_prefix(i + 1);
      return varint;
    }
  }
  return std::nullopt;
}

std::uint64_t DecodeVarint(std::string_view varint) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < varint.size(); ++i) {
    value |= std::uint64_t{static_cast<std::uint8_t>(varint[i] & 0x7F)} << (7 * i);
  }
  return value;
}

std::optional<std::string_view> TakeContent(Field& field, std::string_view& bytes) {
  std::uint64_t size = 0;
  switch (WireTypeOf(field)) {
    case WireFormatLite::WIRETYPE_VARINT:
      return TakeVarint(bytes);
    case WireFormatLite::WIRETYPE_FIXED64:
      size = sizeof(std::uint64_t);
      break;
    case WireFormatLite::WIRETYPE_FIXED32:
      size = sizeof(std::uint32_t);
      break;
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
      const std::optional<std::string_view> length = TakeVarint(bytes);
      if (!length.has_value()) {
        return std::nullopt;
      }
      size = DecodeVarint(*length);
      field.length_padding = length->size() - EncodeVarint(size).size();
      break;
    }
    // The two ends of a group are fields like any others, without content.
    case WireFormatLite::WIRETYPE_START_GROUP:
    case WireFormatLite::WIRETYPE_END_GROUP:
      break;
    default:
      return std::nullopt;
  }
  if (size > bytes.size()) {
    return std::nullopt;
  }
  const std::string_view content = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return content;
}

// Returns nothing if `bytes` are not a message, or are an empty one.
std::optional<std::vector<Field>> ParseFields(std::string_view bytes) {
  std::vector<Field> fields;
  while (!bytes.empty()) {
    const std::optional<std::string_view> tag = TakeVarint(bytes);
    if (!tag.has_value()) {
      return std::nullopt;
    }
    Field field{.tag = DecodeVarint(*tag)};
    field.tag_padding = tag->size() - EncodeVarint(field.tag).size();
    const std::optional<std::string_view> content = TakeContent(field, bytes);
    if (!content.has_value()) {
      return std::nullopt;
    }
    field.content = *content;
    fields.push_back(std::move(field));
  }
  return fields.empty() ? std::nullopt : std::optional(std::move(fields));
}

std::string EncodeFields(const std::vector<Field>& fields) {
  std::string bytes;
  for (const Field& field : fields) {
    bytes += EncodeVarint(field.tag, field.tag_padding);
    if (WireTypeOf(field) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      bytes += EncodeVarint(field.content.size(), field.length_padding);
    }
    bytes += field.content;
  }
  return bytes;
}

// Returns the highest number of a field in the messages of operations, which no
// message within them exceeds.
int HighestNumber() {
  int highest = v1::Tensor::kSharedMemoryFieldNumber;
  const auto add = [&](const google::protobuf::Descriptor& message) {
    for (int i = 0; i < message.field_count(); ++i) {
      highest = std::max(highest, message.field(i)->number());
    }
  };
  wire::ForEachOperation([&]<typename Operation>() {
    add(*Operation::Request::descriptor());
    add(*Operation::Response::descriptor());
  });
  return highest;
}

// Returns a number of the schema, or one that it does not have.
std::uint32_t RandomNumber(RandomNumbers& random) {
  static const auto highest = static_cast<std::size_t>(HighestNumber());
  return static_cast<std::uint32_t>(1 + Below(highest + 1, random));
}

// Returns a field of any number and type, empty or all zeros.
Field NewField(RandomNumbers& random) {
  struct Kind {
    WireFormatLite::WireType type;
    std::size_t size;
  };
  constexpr std::array kKinds = {Kind{WireFormatLite::WIRETYPE_VARINT, 1},
                                 Kind{WireFormatLite::WIRETYPE_FIXED64, 8},
                                 Kind{WireFormatLite::WIRETYPE_FIXED32, 4},
                                 Kind{WireFormatLite::WIRETYPE_LENGTH_DELIMITED, 0},
                                 Kind{WireFormatLite::WIRETYPE_LENGTH_DELIMITED, 4},
                                 Kind{WireFormatLite::WIRETYPE_START_GROUP, 0}};
  const Kind kind = kKinds[Below(kKinds.size(), random)];
  return {.tag = WireFormatLite::MakeTag(static_cast<int>(RandomNumber(random)), kind.type),
          .content = std::string(kind.size, '\0')};
}

void MutateNumber(Field& field, RandomNumbers& random) {
  field.tag = (field.tag & 7) | (std::uint64_t{RandomNumber(random)} << 3);
}

std::size_t RandomPadding(RandomNumbers& random) {
  constexpr std::array<std::size_t, 6> kPaddings = {0, 0, 0, 1, 2, kMaxVarintBytes};
  return kPaddings[Below(kPaddings.size(), random)];
}

// Messages lie within messages.
// NOLINTBEGIN(misc-no-recursion)
void MutateContent(Field& field, RandomNumbers& random, const MutateBytes& mutate_bytes) {
  switch (WireTypeOf(field)) {
    case WireFormatLite::WIRETYPE_VARINT:
      // Small numbers mean something: they are types, dimensions, axes or bits.
      field.content = Below(2, random) == 0 ? EncodeVarint(Below(20, random), RandomPadding(random))
                                            : EncodeVarint(random() * std::uint64_t{random()});
      break;
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
      field.content = Below(4, random) == 0 ? mutate_bytes(field.content)
                                            : MutateField(field.content, random, mutate_bytes);
      break;
    default: {
      const std::size_t size = field.content.size();
      field.content = mutate_bytes(field.content);
      field.content.resize(size);
    }
  }
}

void MutateFields(std::vector<Field>& fields, RandomNumbers& random,
                  const MutateBytes& mutate_bytes) {
  const std::size_t index = Below(fields.size(), random);
  const std::size_t other = Below(fields.size(), random);
  const auto position = std::next(fields.begin(), static_cast<std::ptrdiff_t>(other));
  switch (Below(16, random)) {
    case 0:
      fields.insert(position, NewField(random));
      return;
    case 1:
      fields.erase(position);
      return;
    case 2: {
      Field copy = fields[index];
      fields.insert(position, std::move(copy));
      return;
    }
    case 3:
      std::swap(fields[index], fields[other]);
      return;
    case 4:
      MutateNumber(fields[index], random);
      return;
    case 5:
      fields[index].tag_padding = RandomPadding(random);
      return;
    case 6:
      fields[index].length_padding = RandomPadding(random);
      return;
    case 7: {
      const Field end{.tag = (fields[index].tag & ~std::uint64_t{7}) |
                             WireFormatLite::WIRETYPE_END_GROUP};
      fields.insert(position, end);
      return;
    }
    default:
      MutateContent(fields[index], random, mutate_bytes);
  }
}

// NOLINTEND(misc-no-recursion)

// Returns how many elements `tensor` should have, or nothing if they are many.
// (One dimension of a tensor without elements may still be huge.)
std::optional<std::size_t> SmallCount(const v1::Tensor& tensor) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : tensor.shape()) {
    if (dimension < 0 || dimension > kMaxRepairedElements) {
      return std::nullopt;
    }
    count = std::min(count * dimension, kMaxRepairedElements + 1);
  }
  return count > kMaxRepairedElements ? std::nullopt
                                      : std::optional(static_cast<std::size_t>(count));
}

// Replaces a shape of many elements.
void RepairShape(v1::Tensor& tensor, RandomNumbers& random) {
  if (!SmallCount(tensor).has_value()) {
    tensor.mutable_shape()->Clear();
    tensor.add_shape(static_cast<std::int64_t>(Below(64, random)));
  }
}

// Cuts `values` off after `count`, or fills it up with `value`.
template <typename T>
void SetSize(std::size_t count, T value, google::protobuf::RepeatedField<T>& values) {
  if (static_cast<std::size_t>(values.size()) > count) {
    values.Truncate(static_cast<int>(count));
  }
  while (static_cast<std::size_t>(values.size()) < count) {
    values.Add(value);
  }
}

// Gives `tensor` as many elements of `type` as its shape says, which are few.
void RepairElements(v1::Tensor& tensor, core::ElementType type) {
  const std::size_t count = *SmallCount(tensor);
  tensor.set_data_type(wire::ToDataType(type));
  if (tensor.has_float_values() && type == core::ElementType::kFloat32) {
    SetSize(count, 1.0F, *tensor.mutable_float_values()->mutable_values());
  } else {
    tensor.mutable_data()->resize(core::ElementBytes(type, count), '?');
  }
}

// Gives the axis of `parameters` a dimension that `tensor` has, or clears it. Returns the
// number of channels.
template <typename Parameters>
std::size_t RepairAxis(const v1::Tensor& tensor, Parameters& parameters, RandomNumbers& random) {
  if (!parameters.has_axis() || tensor.shape_size() == 0) {
    parameters.clear_axis();
    return 1;
  }
  const int axis = static_cast<int>(Below(static_cast<std::size_t>(tensor.shape_size()), random));
  parameters.set_axis(axis);
  return static_cast<std::size_t>(tensor.shape(axis));
}

// Gives `range` as many values as the axis has channels.
void RepairRange(const v1::Tensor& tensor, v1::Range& range, RandomNumbers& random) {
  const std::size_t channels = RepairAxis(tensor, range, random);
  SetSize(channels, -1.0F, *range.mutable_min());
  SetSize(channels, 1.0F, *range.mutable_max());
}

// Gives `affine` as many values as the axis has channels or blocks, and an axis or none.
void RepairScales(const v1::Tensor& tensor, v1::AffineParameters& affine, RandomNumbers& random) {
  std::size_t count = RepairAxis(tensor, affine, random);
  if (!affine.has_axis()) {
    affine.clear_block_size();
  } else if (affine.has_block_size() && count > 0) {
    const std::size_t block = 1 + Below(4, random);
    affine.set_block_size(static_cast<std::uint32_t>(block));
    count = *SmallCount(tensor) / count * ((count + block - 1) / block);
  }
  SetSize(count, 0.5F, *affine.mutable_scale());
  SetSize(affine.zero_point_size() > 0 ? count : 0, 1, *affine.mutable_zero_point());
}

// Returns a numerics that the operation has with such parameters, and what it takes
// with these. There is one for every operation.
struct SupportedNumerics {
  core::Numerics numerics;
  core::Support support;
};
SupportedNumerics AnyNumerics(core::OperationKind operation, core::ParameterSource source,
                              RandomNumbers& random) {
  std::vector<SupportedNumerics> all;
  for (const wire::NumericsMapping& mapping : wire::kNumerics) {
    const auto support = core::SupportOf(operation, mapping.numerics, source);
    if (support.has_value()) {
      all.push_back({mapping.numerics, *support});
    }
  }
  return all[Below(all.size(), random)];
}

core::ElementType AnyOf(const core::ElementTypes& types, RandomNumbers& random) {
  std::vector<core::ElementType> all;
  for (const wire::ElementTypeMapping& mapping : wire::kElementTypes) {
    if (types.contains(mapping.type)) {
      all.push_back(mapping.type);
    }
  }
  return all[Below(all.size(), random)];
}

// Gives `request` parameters of one kind, which fit `tensor`. Returns their kind.
template <typename Request>
core::ParameterSource RepairParameters(const v1::Tensor& tensor, Request& request,
                                       RandomNumbers& random) {
  if constexpr (wire::TakesDataRange<Request>) {
    if (Below(8, random) == 0) {
      request.clear_range();
      request.clear_affine();
      RepairAxis(tensor, *request.mutable_data_range(), random);
      return core::ParameterSource::kRange;
    }
    request.clear_data_range();
  }
  // Rarely the other kind than the request has.
  if (request.has_affine() != (Below(8, random) == 0)) {
    request.clear_range();
    RepairScales(tensor, *request.mutable_affine(), random);
    return core::ParameterSource::kAffine;
  }
  request.clear_affine();
  RepairRange(tensor, *request.mutable_range(), random);
  return core::ParameterSource::kRange;
}

template <typename Operation>
void RepairRequest(typename Operation::Request& request, RandomNumbers& random) {
  v1::Tensor& first = MutableTensor(request, Operation::kInputs.front().number);
  RepairShape(first, random);
  const core::ParameterSource source = RepairParameters(first, request, random);
  const SupportedNumerics any = AnyNumerics(server::kOperationKind<Operation>, source, random);
  request.mutable_spec()->set_numerics(wire::ToSchema(any.numerics));
  const core::ElementType type = AnyOf(any.support.input_types, random);
  for (const auto& field : Operation::kInputs) {
    v1::Tensor& tensor = MutableTensor(request, field.number);
    *tensor.mutable_shape() = first.shape();
    RepairElements(tensor, type);
  }
  if constexpr (wire::TakesOutputType<typename Operation::Request>) {
    request.set_output_type(wire::ToDataType(AnyOf(any.support.output_types, random)));
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-no-recursion)
std::string MutateField(const std::string& message, RandomNumbers& random,
                        const MutateBytes& mutate_bytes) {
  std::optional<std::vector<Field>> fields = ParseFields(message);
  if (!fields.has_value()) {
    return mutate_bytes(message);
  }
  MutateFields(*fields, random, mutate_bytes);
  return EncodeFields(*fields);
}

std::string RepairRequest(const std::string& message, std::size_t operation,
                          RandomNumbers& random) {
  return wire::VisitOperation(operation, [&]<typename Operation>() {
    typename Operation::Request request;
    request.ParsePartialFromString(message);
    RepairRequest<Operation>(request, random);
    return request.SerializeAsString();
  });
}

}  // namespace quantd::fuzz
