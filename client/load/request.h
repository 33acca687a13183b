// A request that is sent again and again, and the answer that it must get.

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
#include "client/library/parameters.h"
#include "client/load/expected_answer.h"
#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::client {

// What a request asks for.
struct RequestContent {
  // An index in wire::Operations.
  std::size_t operation = 0;
  // The last of the operation's inputs. The others are random ones of its shape and
  // type.
  NpyArray tensor;
  // Not a DataRange.
  ParameterValues parameters;
  core::QuantizationSpec spec;
  // The type of the answer, for operations that let the request choose it.
  core::ElementType output_type = core::ElementType::kUint8;
};

// Returns random elements that repeat after a million: the same ones for the same
// seed. Floats are normally distributed (mean 0, standard deviation 1), and codes
// uniformly over all codes of the type. Dimensions are at least 0.
NpyArray RandomTensor(std::span<const std::int64_t> shape, core::ElementType type,
                      std::uint64_t seed);

// Immutable, and safe to use from several threads at once.
class Request {
 public:
  // Encodes the request. If `verified`, computes the answer, too, with core's
  // reference.
  //
  // Errors: those of CheckAsServer(), since a server would refuse the request each
  // time; kResourceExhausted if memory does not suffice.
  static absl::StatusOr<Request> Create(const RequestContent& content, bool verified);

  // The request as it is sent.
  const grpc::ByteBuffer& bytes() const { return bytes_; }
  // The number of elements of each of its tensors.
  std::size_t element_count() const { return element_count_; }
  // The size of all tensors of the request and its answer.
  std::size_t tensor_bytes() const { return tensor_bytes_; }

  // Compares an answer with the reference; see ExpectedAnswer::Check(). The request
  // was created as `verified`.
  absl::Status Check(const grpc::ByteBuffer& answer) const;

 private:
  Request() = default;

  grpc::ByteBuffer bytes_;
  std::size_t element_count_ = 0;
  std::size_t tensor_bytes_ = 0;
  // Null if the request is not verified.
  std::shared_ptr<const ExpectedAnswer> expected_;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LOAD_REQUEST_H_
