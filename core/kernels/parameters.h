// The parameters of kernels, beside the elements.

#ifndef QUANTD_CORE_KERNELS_PARAMETERS_H_
#define QUANTD_CORE_KERNELS_PARAMETERS_H_

#include <cstddef>

namespace quantd::core::kernels {

// How results reach memory. Streaming stores bypass the cache: they are faster
// for outputs that are much larger than it, and slower for all others.
enum class Store { kCached, kStreaming };

// The parameters of one channel, named as in docs/design.md.
struct ChannelParameters {
  float nudged_min = 0;
  float nudged_max = 0;
  float scale = 0;
  float inverse_scale = 0;
  // quant_min - zero_point, which is -quant_zero.
  float lowest_step = 0;
};

// The largest number of lanes of float32 that a kernel uses at once, where the
// width of a vector matters to what it computes or how its parameters lie.
inline constexpr std::size_t kMaxLanes = 16;

// The parameters of kMaxLanes neighbouring columns, side by side and aligned.
//
// A kernel loads these for each vector of elements, so they are as few as
// possible. It computes the others: nudged_min is lowest_step * scale,
// nudged_max is (lowest_step + levels) * scale, and quant_zero is exactly
// -lowest_step, because the floor() of its formula recovers that integer.
struct alignas(kMaxLanes * sizeof(float)) ColumnParameters {
  float scale[kMaxLanes] = {};
  float inverse_scale[kMaxLanes] = {};
  float lowest_step[kMaxLanes] = {};
};

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_PARAMETERS_H_
