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
  // Whether every inverse_scale is 1 / scale and has a scale that DivideByInverse()
  // takes, if the formula divides. Otherwise kernels divide, one element at a time.
  bool divides_by_inverse = true;
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
  // quant_min - zero_point, which is -quant_zero. With kFromLowerEnd and
  // kFromLowerEndCentred, the lower end: the value of the lowest code.
  float lowest_step = 0;
};

// The inputs of one channel whose gradients pass: those from `lower` to `upper`.
struct ChannelBounds {
  float lower = 0;
  float upper = 0;
};

// The largest number of lanes of float32 that a kernel uses at once, where the
// width of a vector matters to what it computes or how its parameters lie.
inline constexpr std::size_t kMaxLanes = 16;

// The scales whose quotients DivideByInverse() computes: no intermediate result
// overflows or underflows.
inline constexpr float kMinScaleOfInverse = 0x1p-50F;
inline constexpr float kMaxScaleOfInverse = 0x1p50F;

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

// The bounds of kMaxLanes neighbouring columns.
struct alignas(kMaxLanes * sizeof(float)) ColumnBounds {
  float lower[kMaxLanes] = {};
  float upper[kMaxLanes] = {};
};

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_PARAMETERS_H_
