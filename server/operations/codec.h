// Requests and responses as core's types: the only place that knows both.

#ifndef QUANTD_SERVER_OPERATIONS_CODEC_H_
#define QUANTD_SERVER_OPERATIONS_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "core/base/scattered_bytes.h"
#include "core/base/tensor_view.h"
#include "core/quantizer.h"
#include "quantd/v1/quantization.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "server/operations/settings_codec.h"
#include "wire/methods.h"
#include "wire/operations.h"
#include "wire/received_message.h"

namespace quantd::server {

// A tensor of a request, before it is checked.
struct ReceivedTensor {
  // The name of its field.
  std::string_view field;
  // Null if the request does not have it.
  const v1::Tensor* tensor;
  const core::ScatteredBytes* elements;
};

// What a request asks for. Refers to the messages that it was decoded from.
struct DecodedRequest {
  // All of one shape and type; each has the bytes of as many elements as the shape
  // says.
  absl::InlinedVector<core::TensorView, 2> inputs;
  // The product of the shape.
  std::size_t element_count = 0;
  core::ConversionTypes types = {};
  DecodedSettings settings;
};

// Checks everything about a request that core does not check:
//   UNSUPPORTED_DATA_TYPE      a type that is not set, unknown, or not taken with any
//                              numerics; float_values that are not float32
//   TENSOR_SIZE_MISMATCH       no tensor, no storage, a bad shape, more than wire::kMaxRank
//                              dimensions, or another number of elements than the shape's
//   SHARED_MEMORY_UNAVAILABLE  a tensor in shared memory
//   SHAPE_MISMATCH             tensors of different shapes or types
// and the errors of DecodeSettings(). They name the field within the request.
absl::StatusOr<DecodedRequest> Decode(std::span<const ReceivedTensor> tensors,
                                      const ReceivedSettings& settings, const MethodTraits& method);

// Decodes the tensors of `received` with everything else of `settings`, a request
// whose tensors do not count.
template <typename Operation>
absl::StatusOr<DecodedRequest> Decode(
    const wire::ReceivedMessage<typename Operation::Request>& received,
    const typename Operation::Request& settings, wire::Transfer transfer) {
  constexpr auto kFields = Operation::kInputs;
  const typename Operation::Request& message = received.message();
  return [&]<std::size_t... indices>(std::index_sequence<indices...>) {
    const ReceivedTensor tensors[] = {
        {.field = kFields[indices].name,
         .tensor = (message.*kFields[indices].has)() ? &(message.*kFields[indices].get)() : nullptr,
         .elements = &received.elements(indices)}...};
    return Decode(tensors, SettingsOf(settings), TraitsOf<Operation>(transfer));
  }
  (std::make_index_sequence<kFields.size()>());
}

// Returns how many ranges or scales are computed from the data of `request`; 0 if it brings
// them.
std::uint64_t DerivedParameterCount(const DecodedRequest& request);

void EncodeNudgedRange(const core::NudgedRange& range, v1::NudgedRange& message);

void EncodeParameters(const core::UsedParameters& parameters, v1::AffineParameters& message);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_OPERATIONS_CODEC_H_
