// Messages with a tensor, built in the memory that gRPC sends them from.

#ifndef QUANTD_WIRE_OUTGOING_TENSOR_H_
#define QUANTD_WIRE_OUTGOING_TENSOR_H_

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"

namespace quantd::wire {

// One field of type Tensor, encoded except for its elements, which are written in
// place. A message consists of one or several of these, one of which is followed
// by the other fields: the order of fields does not matter to protobuf.
class OutgoingTensor {
 public:
  struct Layout {
    // The number of the field.
    int field_number;
    core::ElementType type;
    std::span<const std::int64_t> shape;
    // The product of the shape.
    std::size_t element_count;
  };

  // Encodes the header of the tensor, and makes room for its elements and for the
  // fields of `rest`. Throws std::bad_alloc.
  //
  // Errors: MESSAGE_TOO_LARGE if the message exceeds the 2 GiB that protobuf allows.
  static absl::StatusOr<OutgoingTensor> Create(const Layout& layout,
                                               const google::protobuf::MessageLite& rest);

  // The elements, to be written before the message is sent. Aligned for the widest
  // vectors.
  core::OutputView elements() const;

  // Writes the other fields. They must take as many bytes as those that were
  // passed to Create().
  void EncodeRest(const google::protobuf::MessageLite& rest);

  // Returns the encoded bytes, which free their memory once they are sent.
  grpc::Slice ToSlice() &&;

 private:
  OutgoingTensor() = default;

  struct Free {
    void operator()(std::byte* memory) const;
  };

  std::unique_ptr<std::byte, Free> memory_;
  // The part of `memory_` that is sent.
  std::span<std::byte> bytes_;
  core::OutputView elements_;
  std::size_t rest_bytes_ = 0;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_OUTGOING_TENSOR_H_
