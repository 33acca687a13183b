// What kernels are told of the quantization that they compute.

#ifndef QUANTD_CORE_KERNELS_PARAMETERS_H_
#define QUANTD_CORE_KERNELS_PARAMETERS_H_

#include <cstddef>
#include <cstdint>

#include "core/numerics.h"

namespace quantd::core::kernels {

// How results reach memory. Streaming stores bypass the cache: they are faster
// for outputs that are much larger than it, and slower for all others.
enum class Store { kCached, kStreaming };

// What all channels have in common.
struct Rules {
  StepFormula step = StepFormula::kDivide;
  // Whether NaN stays NaN, with a formula of ranges. Otherwise it becomes the lowest.
  bool keeps_nan = true;
  // Whether subnormal results are flushed to zeros.
  bool flushes_subnormals = false;
  // The lowest code, from which lowest_step is counted, and the number of steps from
  // it to the highest.
  float quant_min = 0;
  float levels = 0;
  // What is subtracted from a code to store it.
  std::int32_t code_offset = 0;
};

// The parameters of one channel, named as in docs/numerics.md.
struct ChannelParameters {
  // lowest_step * scale, and (lowest_step + levels) * scale.
  float nudged_min = 0;
  float nudged_max = 0;
  float scale = 0;
  float inverse_scale = 0;
  // For formulas that divide: InverseLow(scale).
  float inverse_scale_low = 0;
  // quant_min - zero_point, which is -quant_zero. With kFromLowerEnd and
  // kFromLowerEndCentred, the lower end: the value of the lowest code.
  float lowest_step = 0;
  // quant_max - zero_point.
  float highest_step = 0;
};

// The inputs of one channel whose gradients pass: those from `lower` to `upper`.
struct ChannelBounds {
  float lower = 0;
  float upper = 0;
};

// The largest number of lanes of float32 that a kernel uses at once, where the
// width of a vector matters to what it computes or how its parameters lie.
inline constexpr std::size_t kMaxLanes = 16;

// The parameters of kMaxLanes neighbouring columns, side by side and aligned. A kernel loads
// those that it needs for each vector of elements, and computes none.
struct alignas(kMaxLanes * sizeof(float)) ColumnParameters {
  float nudged_min[kMaxLanes] = {};
  float nudged_max[kMaxLanes] = {};
  float scale[kMaxLanes] = {};
  float inverse_scale[kMaxLanes] = {};
  float inverse_scale_low[kMaxLanes] = {};
  float lowest_step[kMaxLanes] = {};
  float highest_step[kMaxLanes] = {};
  // Whether no inverse_scale_low is NaN.
  bool have_inverses = true;
};

// The bounds of kMaxLanes neighbouring columns.
struct alignas(kMaxLanes * sizeof(float)) ColumnBounds {
  float lower[kMaxLanes] = {};
  float upper[kMaxLanes] = {};
};

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_PARAMETERS_H_
