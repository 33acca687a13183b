// Requests and responses as core's types: the only place that knows both.

#ifndef QUANTD_SERVER_CODEC_H_
#define QUANTD_SERVER_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/quantization.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/quantization_service.pb.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::server {

// The element types that the methods take.
inline constexpr v1::DataType kSupportedDataTypes[] = {v1::DATA_TYPE_FLOAT32};

// float32 elements that lie where a processor can load them: those given, or a
// copy where they do not. Refers to what it was made from.
class FloatElements {
 public:
  explicit FloatElements(std::span<const float> elements) : elements_(elements) {}

  // From little-endian bytes at any address. A size that is no multiple of 4
  // loses the rest.
  explicit FloatElements(std::string_view bytes);

  FloatElements(FloatElements&&) = default;
  FloatElements& operator=(FloatElements&&) = default;

  std::span<const float> get() const { return elements_; }

 private:
  std::vector<float> aligned_copy_;
  std::span<const float> elements_;
};

// A float32 tensor with as many elements as its shape says.
struct FloatTensor {
  std::span<const std::int64_t> shape;
  FloatElements elements;
};

struct FakeQuantizeArguments {
  FloatTensor input;
  core::Range range;
  core::QuantizationSpec spec;
};

struct FakeQuantizeGradientArguments {
  FloatTensor gradients;
  // Of the shape of `gradients`.
  FloatTensor inputs;
  core::Range range;
  core::QuantizationSpec spec;
};

// Checks everything about the request that core does not check:
//   UNSUPPORTED_DATA_TYPE      a type unset, unknown or other than float32
//   TENSOR_SIZE_MISMATCH       no tensor, no storage, a bad shape, a number of
//                              elements other than the shape's
//   SHARED_MEMORY_UNAVAILABLE  a tensor in shared memory
//   SHAPE_MISMATCH             gradients and inputs of different shape or type
//   RANGE_SIZE_MISMATCH        no range
//   UNSUPPORTED_NUMERICS       numerics that this server does not know
// The errors name the field within the request. The result refers to `request`.
absl::StatusOr<FakeQuantizeArguments> Decode(const v1::FakeQuantizeRequest& request);
absl::StatusOr<FakeQuantizeGradientArguments> Decode(
    const v1::FakeQuantizeGradientRequest& request);

// Makes `tensor` a float32 tensor of `shape`, and returns where its `count`
// elements, zeros so far, are to be written.
std::span<float> EncodeTensor(std::span<const std::int64_t> shape, std::size_t count,
                              v1::Tensor& tensor);

void EncodeNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CODEC_H_
