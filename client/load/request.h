// A request that is sent again and again, and what its answer has to be.

#ifndef QUANTD_CLIENT_LOAD_REQUEST_H_
#define QUANTD_CLIENT_LOAD_REQUEST_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/npy.h"
#include "client/library/range_of_data.h"
#include "core/quantization.h"

namespace quantd::client {

enum class Operation { kFakeQuantize, kFakeQuantizeGradient };

// What a request asks for.
struct RequestContent {
  Operation operation = Operation::kFakeQuantize;
  // The input. Gradients, where the operation has some, are random ones of its
  // shape.
  NpyArray tensor;
  RangeValues range;
  core::QuantizationSpec spec;
};

// Normally distributed values (mean 0, standard deviation 1) that repeat after a
// million: the same for the same seed. Dimensions are at least 0.
NpyArray RandomTensor(std::span<const std::int64_t> shape, std::uint64_t seed);

// Immutable, and safe to use from several threads at once.
class Request {
  class ExpectedAnswer;

 public:
  // Encodes the request. Where `is_verified`, computes the answer, too, with
  // core's reference.
  //
  // Errors: those of core::FakeQuantization::Create(), since a server would
  // refuse the request each time; kResourceExhausted where memory does not
  // suffice.
  static absl::StatusOr<Request> Create(const RequestContent& content, bool is_verified);

  // As it is sent.
  const grpc::ByteBuffer& bytes() const { return bytes_; }
  // Of the input.
  std::size_t element_count() const { return element_count_; }
  // Of all tensors of the request and its answer.
  std::size_t tensor_bytes() const { return tensor_bytes_; }

  // Compares an answer with the reference: elements in their bits (any NaN is as
  // good as another), sums of gradients to one float32 ulp of the exact ones. Not
  // for requests that were made without it.
  //
  // Errors: kDataLoss with the first element that differs; kInternal for an
  // answer that does not fit the request.
  absl::Status Check(const grpc::ByteBuffer& answer) const;

 private:
  Request() = default;

  grpc::ByteBuffer bytes_;
  std::size_t element_count_ = 0;
  std::size_t tensor_bytes_ = 0;
  std::shared_ptr<const ExpectedAnswer> expected_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_REQUEST_H_
