// Messages with a tensor as they are sent: made where gRPC sends them from.

#ifndef QUANTD_WIRE_OUTGOING_TENSOR_H_
#define QUANTD_WIRE_OUTGOING_TENSOR_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"

namespace quantd::wire {

// One field of type Tensor, encoded but for its elements, which are written in
// place. A message is one or several of these, with its other fields behind
// one of them: protobuf's fields stand in any order, one behind the other.
class OutgoingTensor {
 public:
  // The field `number`: a float32 tensor of `shape`, which has `count`
  // elements, and room for the fields of `rest` behind it. Throws
  // std::bad_alloc.
  //
  // Errors: MESSAGE_TOO_LARGE where these are more than the 2 GiB that protobuf's
  // messages end at.
  static absl::StatusOr<OutgoingTensor> Create(int number, std::span<const std::int64_t> shape,
                                               std::size_t count,
                                               const google::protobuf::MessageLite& rest);

  // To be written before they are sent. Aligned for the widest vectors.
  std::span<float> elements();

  // Writes the other fields, once they are known. They take as many bytes as
  // those that the constructor saw.
  void EncodeRest(const google::protobuf::MessageLite& rest);

  // The bytes, whose memory is given back when they are sent.
  grpc::Slice ToSlice() &&;

 private:
  OutgoingTensor() = default;

  struct Free {
    void operator()(std::byte* memory) const;
  };

  std::unique_ptr<std::byte, Free> memory_;
  // What is sent, of `memory_`.
  std::span<std::byte> bytes_;
  std::size_t elements_begin_ = 0;
  std::size_t count_ = 0;
  std::size_t rest_bytes_ = 0;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_OUTGOING_TENSOR_H_
