// What the kernels are told beside the elements.

#ifndef QUANTD_CORE_KERNELS_PARAMETERS_H_
#define QUANTD_CORE_KERNELS_PARAMETERS_H_

#include <cstddef>

namespace quantd::core::kernels {

// How shifted values become codes: TensorFlow divides in one op and multiplies
// in the others, and the last bits differ.
enum class Rounding { kDivideByScale, kMultiplyByInverseScale };

// How results reach memory. Streaming stores bypass the cache: faster for
// outputs much larger than it, slower for smaller ones.
enum class Store { kCached, kStreaming };

// What stands for one channel, as the numerics contract names it.
struct ChannelParameters {
  float nudged_min = 0;
  float nudged_max = 0;
  float scale = 0;
  float inverse_scale = 0;
  // -quant_zero.
  float lowest_step = 0;
};

// The most lanes of float32 that a kernel uses at once.
inline constexpr std::size_t kMaxLanes = 16;

// The parameters of kMaxLanes neighbouring columns, side by side and aligned.
//
// As few as possible must be loaded for each vector of elements, so the rest is
// computed from the lowest step, quant_min - zero_point: nudged_min is
// lowest_step * scale, nudged_max is (lowest_step + levels) * scale, and
// quant_zero is exactly -lowest_step (the contract's floor() recovers that
// integer).
struct alignas(kMaxLanes * sizeof(float)) ColumnParameters {
  float scale[kMaxLanes] = {};
  float inverse_scale[kMaxLanes] = {};
  float lowest_step[kMaxLanes] = {};
};

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_PARAMETERS_H_
