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
#include "wire/varint.h"

namespace quantd::wire {
namespace {

// That of a cache line, and of the widest vectors.
constexpr std::size_t kAlignment = 64;

std::size_t RoundUp(std::size_t value) {
  return (value + kAlignment - 1) / kAlignment * kAlignment;
}

void AppendTag(int number, std::string& output) {
  using google::protobuf::internal::WireFormatLite;
  AppendVarint(WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), output);
}

// Of protobuf's messages.
constexpr std::size_t kMaxMessageBytes = std::numeric_limits<std::int32_t>::max();

absl::Status MessageTooLarge(std::size_t bytes) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("a message with this tensor and its range would have ", bytes,
                   " bytes; expected at most ", kMaxMessageBytes,
                   ", as protobuf allows: send the tensor in parts, or fewer channels at once"),
      {.reason = std::string(core::reason::kMessageTooLarge),
       .field = {},
       .metadata = {{"message_bytes", absl::StrCat(bytes)},
                    {"max_message_bytes", absl::StrCat(kMaxMessageBytes)}}});
}

// What stands before the elements.
std::string EncodeHead(int number, std::span<const std::int64_t> shape, std::size_t data_bytes) {
  v1::Tensor tensor;
  tensor.set_data_type(v1::DATA_TYPE_FLOAT32);
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  std::string fields = tensor.SerializeAsString();
  AppendTag(v1::Tensor::kDataFieldNumber, fields);
  AppendVarint(data_bytes, fields);

  std::string head;
  AppendTag(number, head);
  AppendVarint(fields.size() + data_bytes, head);
  return head + fields;
}

}  // namespace

void OutgoingTensor::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t(kAlignment));
}

absl::StatusOr<OutgoingTensor> OutgoingTensor::Create(int number,
                                                      std::span<const std::int64_t> shape,
                                                      std::size_t count,
                                                      const google::protobuf::MessageLite& rest) {
  const std::string head = EncodeHead(number, shape, count * sizeof(float));
  const std::size_t padding = RoundUp(head.size()) - head.size();
  const std::size_t rest_bytes = rest.ByteSizeLong();
  const std::size_t size = head.size() + count * sizeof(float) + rest_bytes;
  if (size > kMaxMessageBytes) {
    return MessageTooLarge(size);
  }
  OutgoingTensor tensor;
  tensor.memory_.reset(
      static_cast<std::byte*>(::operator new(padding + size, std::align_val_t(kAlignment))));
  tensor.bytes_ = {tensor.memory_.get() + padding, size};
  tensor.elements_begin_ = head.size();
  tensor.count_ = count;
  tensor.rest_bytes_ = rest_bytes;
  std::memcpy(tensor.bytes_.data(), head.data(), head.size());
  return tensor;
}

std::span<float> OutgoingTensor::elements() {
  void* const elements = bytes_.data() + elements_begin_;
  return {static_cast<float*>(elements), count_};
}

void OutgoingTensor::EncodeRest(const google::protobuf::MessageLite& rest) {
  // It fails where the fields take more bytes than they may.
  [[maybe_unused]] const bool encoded =
      rest.SerializeToArray(bytes_.last(rest_bytes_).data(), static_cast<int>(rest_bytes_));
  assert(encoded);
}

grpc::Slice OutgoingTensor::ToSlice() && {
  void* const begin = bytes_.data();
  const auto free = [](void* memory) { Free()(static_cast<std::byte*>(memory)); };
  return {begin, bytes_.size(), free, memory_.release()};
}

}  // namespace quantd::wire
