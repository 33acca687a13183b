// What TensorFlow's older quantizing ops make of a range: QuantizeAndDequantizeV4,
// QuantizeV2 and Dequantize.

#ifndef QUANTD_CORE_TENSORFLOW_RANGES_H_
#define QUANTD_CORE_TENSORFLOW_RANGES_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "core/resolved_spec.h"
#include "core/support.h"

namespace quantd::core {

// The scale of one channel, in the floating-point type of its op.
template <typename T>
struct ScaledRange {
  // The ends: values beyond are limited to them. Those that the op returns, if it does.
  T min = 0;
  T max = 0;
  // The distance between neighbouring values.
  T scale = 0;
  // What values are multiplied by to become steps: not always 1 / scale.
  T inverse_scale = 0;
  // See kernels::ChannelParameters.
  T lowest_step = 0;
  // The code of 0, of codes 0..2^num_bits-1.
  std::int32_t zero_point = 0;
  // Whether there is nothing on the sides of zero that codes have: all is a zero.
  bool is_zero = false;
};

// The range of QuantizeAndDequantizeV4 for tensors of T, which is float or double.
//
// Errors: those of CheckBounds(); INVALID_RANGE if T cannot hold the scale, its inverse
// or an end.
template <typename T>
absl::StatusOr<ScaledRange<T>> ScaleQuantizeAndDequantize(float min, float max,
                                                          const ResolvedSpec& spec,
                                                          std::size_t channel);

// The same for QuantizeV2 with kQuantize, and for Dequantize with kDequantize.
absl::StatusOr<ScaledRange<float>> ScaleQuantizeV2(OperationKind operation, float min, float max,
                                                   const ResolvedSpec& spec, std::size_t channel);

}  // namespace quantd::core

#endif  // QUANTD_CORE_TENSORFLOW_RANGES_H_
