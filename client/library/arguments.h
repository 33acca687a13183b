// What a server would find wrong about a call's arguments.

#ifndef QUANTD_CLIENT_LIBRARY_ARGUMENTS_H_
#define QUANTD_CLIENT_LIBRARY_ARGUMENTS_H_

#include "absl/status/statusor.h"
#include "client/library/client.h"
#include "core/quantization.h"
#include "core/tensor_shape.h"

namespace quantd::client {

// Checks a call whose tensors are sent in parts: the server sees none of them
// whole. Returns how the channels of its range lie.
//
// Errors: those of core::FakeQuantization::Create(); TENSOR_SIZE_MISMATCH where
// a tensor has more or fewer values than its shape; SHAPE_MISMATCH where
// gradients and inputs have different shapes. The fields are those of the
// request that the whole tensor would be sent with.
absl::StatusOr<core::ChannelLayout> CheckArguments(const TensorView& input,
                                                   const core::Range& range,
                                                   const core::QuantizationSpec& spec);
absl::StatusOr<core::ChannelLayout> CheckArguments(const TensorView& gradients,
                                                   const TensorView& inputs,
                                                   const core::Range& range,
                                                   const core::QuantizationSpec& spec);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ARGUMENTS_H_
