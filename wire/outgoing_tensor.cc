#include "wire/outgoing_tensor.h"

#include <google/protobuf/wire_format_lite.h>

#include <cassert>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "quantd/v1/tensor.pb.h"
#include "wire/element_type.h"
#include "wire/varint.h"

namespace quantd::wire {
namespace {

// The alignment of a cache line, and of the widest vectors.
constexpr std::size_t kAlignment = 64;

// The largest message that protobuf reads.
constexpr std::size_t kMaxMessageBytes = std::numeric_limits<std::int32_t>::max();

std::size_t RoundUp(std::size_t value) {
  return (value + kAlignment - 1) / kAlignment * kAlignment;
}

void AppendTag(int number, std::string& output) {
  using google::protobuf::internal::WireFormatLite;
  AppendVarint(WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), output);
}

absl::Status MessageTooLarge(std::size_t bytes) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
      absl::StrCat("a message with this tensor and its parameters would have ", bytes,
                   " bytes; expected at most ", kMaxMessageBytes,
                   ", the limit of protobuf: send the tensor in parts, or fewer channels at once"),
      {.metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"max_message_bytes", absl::StrCat(kMaxMessageBytes)}}});
}

// Encodes everything that precedes the elements.
std::string EncodeHead(const OutgoingTensor::Layout& layout, std::size_t data_bytes) {
  v1::Tensor tensor;
  tensor.set_data_type(ToDataType(layout.type));
  tensor.mutable_shape()->Assign(layout.shape.begin(), layout.shape.end());
  std::string fields = tensor.SerializeAsString();
  AppendTag(v1::Tensor::kDataFieldNumber, fields);
  AppendVarint(data_bytes, fields);

  std::string head;
  AppendTag(layout.field_number, head);
  AppendVarint(fields.size() + data_bytes, head);
  return head + fields;
}

}  // namespace

void OutgoingTensor::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t(kAlignment));
}

absl::StatusOr<OutgoingTensor> OutgoingTensor::Create(const Layout& layout,
                                                      const google::protobuf::MessageLite& rest) {
  const std::size_t data_bytes = core::ElementBytes(layout.type, layout.element_count);
  const std::string head = EncodeHead(layout, data_bytes);
  const std::size_t padding = RoundUp(head.size()) - head.size();
  const std::size_t rest_bytes = rest.ByteSizeLong();
  const std::size_t size = head.size() + data_bytes + rest_bytes;
  if (size > kMaxMessageBytes) {
    return MessageTooLarge(size);
  }
  OutgoingTensor tensor;
  tensor.memory_.reset(
      static_cast<std::byte*>(::operator new(padding + size, std::align_val_t(kAlignment))));
  tensor.bytes_ = {tensor.memory_.get() + padding, size};
  tensor.elements_ = {layout.type, tensor.bytes_.data() + head.size(), layout.element_count};
  tensor.rest_bytes_ = rest_bytes;
  std::memcpy(tensor.bytes_.data(), head.data(), head.size());
  return tensor;
}

core::OutputView OutgoingTensor::elements() const { return elements_; }

void OutgoingTensor::EncodeRest(const google::protobuf::MessageLite& rest) {
  const std::span<std::byte> room = bytes_.last(rest_bytes_);
  [[maybe_unused]] const std::size_t size = rest.ByteSizeLong();
  assert(size == room.size());
  void* const first = room.data();
  [[maybe_unused]] const auto* const end =
      rest.SerializeWithCachedSizesToArray(static_cast<std::uint8_t*>(first));
  assert(end == static_cast<std::uint8_t*>(first) + size);
}

grpc::Slice OutgoingTensor::ToSlice() && {
  void* const begin = bytes_.data();
  const auto free = [](void* memory) { Free()(static_cast<std::byte*>(memory)); };
  return {begin, bytes_.size(), free, memory_.release()};
}

}  // namespace quantd::wire
