// Requests for tests.

#ifndef QUANTD_TESTS_WIRE_REQUESTS_H_
#define QUANTD_TESTS_WIRE_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "quantd/v1/quantization_service.pb.h"

namespace quantd {

inline std::string BytesOf(std::span<const float> elements) {
  if (elements.empty()) {
    return "";
  }
  const void* const address = elements.data();
  return {static_cast<const char*>(address), elements.size_bytes()};
}

inline std::vector<float> FloatsOf(const v1::Tensor& tensor) {
  std::vector<float> elements(tensor.data().size() / sizeof(float));
  tensor.data().copy(static_cast<char*>(static_cast<void*>(elements.data())),
                     elements.size() * sizeof(float));
  return elements;
}

inline v1::Tensor MakeTensor(std::initializer_list<std::int64_t> shape,
                             std::span<const float> elements) {
  v1::Tensor tensor;
  tensor.set_data_type(v1::DATA_TYPE_FLOAT32);
  tensor.mutable_shape()->Assign(shape.begin(), shape.end());
  tensor.set_data(BytesOf(elements));
  return tensor;
}

// Returns evenly spaced values from -3 to 3, which exceed the ranges below on both sides.
inline std::vector<float> Ramp(std::size_t count) {
  std::vector<float> elements(count);
  for (std::size_t i = 0; i < count; ++i) {
    elements[i] = -3.0F + 6.0F * static_cast<float>(i) / static_cast<float>(count);
  }
  return elements;
}

// Returns a valid request for a tensor of shape [2, 3], per channel along axis 1.
inline v1::FakeQuantizeRequest PerChannelRequest() {
  v1::FakeQuantizeRequest request;
  *request.mutable_input() = MakeTensor({2, 3}, Ramp(6));
  for (const float bound : {1.0F, 2.0F, 3.0F}) {
    request.mutable_range()->add_min(-bound);
    request.mutable_range()->add_max(bound);
  }
  request.mutable_range()->set_axis(1);
  return request;
}

inline v1::FakeQuantizeGradientRequest PerChannelGradientRequest() {
  const v1::FakeQuantizeRequest forward = PerChannelRequest();
  v1::FakeQuantizeGradientRequest request;
  *request.mutable_gradients() = MakeTensor({2, 3}, Ramp(6));
  *request.mutable_inputs() = forward.input();
  *request.mutable_range() = forward.range();
  return request;
}

// Returns a valid request for codes of type uint8, per channel along axis 1.
inline v1::QuantizeRequest PerChannelQuantizeRequest() {
  const v1::FakeQuantizeRequest forward = PerChannelRequest();
  v1::QuantizeRequest request;
  *request.mutable_input() = forward.input();
  *request.mutable_range() = forward.range();
  return request;
}

// Returns a valid request for the values of uint8 codes of shape [2, 3], per channel
// along axis 1.
inline v1::DequantizeRequest PerChannelDequantizeRequest() {
  v1::DequantizeRequest request;
  request.mutable_input()->set_data_type(v1::DATA_TYPE_UINT8);
  request.mutable_input()->add_shape(2);
  request.mutable_input()->add_shape(3);
  request.mutable_input()->set_data(std::string("\0\x01\x7f\x80\xfe\xff", 6));
  *request.mutable_range() = PerChannelRequest().range();
  return request;
}

// Returns scales and zero points for the requests above, which fit uint8.
inline v1::AffineParameters PerChannelScales() {
  v1::AffineParameters affine;
  for (const int channel : {0, 1, 2}) {
    affine.add_scale(0.25F * static_cast<float>(channel + 1));
    affine.add_zero_point(100 * channel);
  }
  affine.set_axis(1);
  return affine;
}

// Replaces the range of a request by scales, with a numerics that every method has.
template <typename Request>
void UseScales(Request& request) {
  request.clear_range();
  *request.mutable_affine() = PerChannelScales();
  request.mutable_spec()->set_numerics(v1::NUMERICS_PYTORCH);
}

// Returns a valid request for `count` elements, per tensor.
inline v1::FakeQuantizeRequest PerTensorRequest(std::size_t count) {
  v1::FakeQuantizeRequest request;
  *request.mutable_input() = MakeTensor({static_cast<std::int64_t>(count)}, Ramp(count));
  request.mutable_range()->add_min(-1);
  request.mutable_range()->add_max(1);
  return request;
}

}  // namespace quantd

#endif  // QUANTD_TESTS_WIRE_REQUESTS_H_
