// Tensors of any message, by the number of their field.

#ifndef QUANTD_TESTS_FUZZ_MUTABLE_TENSOR_H_
#define QUANTD_TESTS_FUZZ_MUTABLE_TENSOR_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "quantd/v1/tensor.pb.h"

namespace quantd::fuzz {

// Returns the tensor in field `number` of `message`; adds it if it is missing.
inline v1::Tensor& MutableTensor(google::protobuf::Message& message, int number) {
  return dynamic_cast<v1::Tensor&>(*message.GetReflection()->MutableMessage(
      &message, message.GetDescriptor()->FindFieldByNumber(number)));
}

}  // namespace quantd::fuzz

#endif  // QUANTD_TESTS_FUZZ_MUTABLE_TENSOR_H_
