// Requests and responses as core's types: the only place that knows both.

#ifndef QUANTD_SERVER_OPERATIONS_CODEC_H_
#define QUANTD_SERVER_OPERATIONS_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/scattered_elements.h"
#include "core/quantization.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/quantization_service.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "wire/received_message.h"

namespace quantd::server {

// The element types that the methods take.
inline constexpr v1::DataType kSupportedDataTypes[] = {v1::DATA_TYPE_FLOAT32};

// A float32 tensor with as many elements as its shape says.
struct FloatTensor {
  std::span<const std::int64_t> shape;
  core::ScatteredElements elements;
};

// What the requests of a stream take over from those before them; empty for
// the first one, and for unary calls.
struct RequestDefaults {
  std::optional<v1::Range> range;
  // The encoded size of `range`.
  std::uint64_t range_bytes = 0;
  std::optional<v1::QuantizationSpec> spec;
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
// The errors name the field within the request. What the request leaves out is
// taken from `defaults`. The result refers to both.
absl::StatusOr<FakeQuantizeArguments> Decode(
    const wire::ReceivedMessage<v1::FakeQuantizeRequest>& request, const RequestDefaults& defaults);
absl::StatusOr<FakeQuantizeGradientArguments> Decode(
    const wire::ReceivedMessage<v1::FakeQuantizeGradientRequest>& request,
    const RequestDefaults& defaults);

// Takes over what later requests may leave out.
template <typename Request>
void Remember(Request request, RequestDefaults& defaults) {
  if (request.has_range()) {
    defaults.range = std::move(*request.mutable_range());
    defaults.range_bytes = defaults.range->ByteSizeLong();
  }
  if (request.has_spec()) {
    defaults.spec = std::move(*request.mutable_spec());
  }
}

void EncodeNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_CODEC_H_
