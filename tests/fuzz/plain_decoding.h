// Requests decoded the plain and slow way, from protobuf's generated classes
// and with copies: what the codec is held to.

#ifndef QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_
#define QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/quantization.h"
#include "quantd/v1/quantization_service.pb.h"
#include "quantd/v1/tensor.pb.h"
#include "server/operations/codec.h"

namespace quantd::fuzz {

struct PlainTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> elements;
};

struct PlainArguments {
  // The input; or the gradients and the inputs.
  std::vector<PlainTensor> tensors;
  std::vector<float> min;
  std::vector<float> max;
  std::optional<std::int32_t> axis;
  core::QuantizationSpec spec;
};

// The same as server::Decode(). The errors have its reasons and fields, but
// neither messages nor metadata.
absl::StatusOr<PlainArguments> PlainDecode(const v1::FakeQuantizeRequest& request,
                                           const server::RequestDefaults& defaults);
absl::StatusOr<PlainArguments> PlainDecode(const v1::FakeQuantizeGradientRequest& request,
                                           const server::RequestDefaults& defaults);

// The bytes of the elements that `tensor` carries, whatever its shape.
std::string ElementBytes(const v1::Tensor& tensor);

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_PLAIN_DECODING_H_
