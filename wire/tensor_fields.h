// Which messages of the schema carry tensors, and in which fields.

#ifndef QUANTD_WIRE_TENSOR_FIELDS_H_
#define QUANTD_WIRE_TENSOR_FIELDS_H_

#include <array>

#include "quantd/v1/quantization_service.pb.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::wire {

// TensorFields<Message>: the numbers of the message's fields of type Tensor,
// and the tensors in them, in this order.
template <typename Message>
struct TensorFields;

template <>
struct TensorFields<v1::FakeQuantizeRequest> {
  static constexpr std::array<int, 1> kNumbers = {v1::FakeQuantizeRequest::kInputFieldNumber};
  static std::array<const v1::Tensor*, 1> Get(const v1::FakeQuantizeRequest& message) {
    return {&message.input()};
  }
};

template <>
struct TensorFields<v1::FakeQuantizeResponse> {
  static constexpr std::array<int, 1> kNumbers = {v1::FakeQuantizeResponse::kOutputFieldNumber};
  static std::array<const v1::Tensor*, 1> Get(const v1::FakeQuantizeResponse& message) {
    return {&message.output()};
  }
};

template <>
struct TensorFields<v1::FakeQuantizeGradientRequest> {
  static constexpr std::array<int, 2> kNumbers = {
      v1::FakeQuantizeGradientRequest::kGradientsFieldNumber,
      v1::FakeQuantizeGradientRequest::kInputsFieldNumber};
  static std::array<const v1::Tensor*, 2> Get(const v1::FakeQuantizeGradientRequest& message) {
    return {&message.gradients(), &message.inputs()};
  }
};

template <>
struct TensorFields<v1::FakeQuantizeGradientResponse> {
  static constexpr std::array<int, 1> kNumbers = {
      v1::FakeQuantizeGradientResponse::kInputGradientsFieldNumber};
  static std::array<const v1::Tensor*, 1> Get(const v1::FakeQuantizeGradientResponse& message) {
    return {&message.input_gradients()};
  }
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_TENSOR_FIELDS_H_
