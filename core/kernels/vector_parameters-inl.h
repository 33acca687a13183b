// The parameters of channels in vectors. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
#undef QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
#else
#define QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
#endif

#include <cmath>
#include <cstddef>
#include <limits>

#include "core/kernels/parameters.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The parameters of the channels of a vector. Formulas use some of them; the compiler
// drops the others.
template <class V>
struct VectorParameters {
  V nudged_min;
  V nudged_max;
  V scale;
  V inverse_scale;
  V inverse_scale_low;
  // Whether each scale has an inverse in two parts.
  bool have_inverses;
  V lowest_step;
  V highest_step;
  V quant_min;
  V quant_max;
  // What a formula from the lowest code takes NaN for.
  V nan;
};

// Has no low bits, unlike Highway's, so that it can be rounded to bfloat16.
constexpr float kQuietNan = std::numeric_limits<float>::quiet_NaN();

// Returns the parameters of a channel in every lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE VectorParameters<V> Broadcast(D d, const ChannelParameters& channel,
                                         const Rules& rules) {
  const V nudged_min = hn::Set(d, channel.nudged_min);
  return {.nudged_min = nudged_min,
          .nudged_max = hn::Set(d, channel.nudged_max),
          .scale = hn::Set(d, channel.scale),
          .inverse_scale = hn::Set(d, channel.inverse_scale),
          .inverse_scale_low = hn::Set(d, channel.inverse_scale_low),
          .have_inverses = !std::isnan(channel.inverse_scale_low),
          .lowest_step = hn::Set(d, channel.lowest_step),
          .highest_step = hn::Set(d, channel.highest_step),
          .quant_min = hn::Set(d, rules.quant_min),
          .quant_max = hn::Set(d, rules.quant_min + rules.levels),
          .nan = rules.keeps_nan ? hn::Set(d, kQuietNan) : nudged_min};
}

// Returns the parameters of the columns from `lane` of a block on.
template <class D, class V = hn::Vec<D>>
HWY_INLINE VectorParameters<V> LoadParameters(D d, const ColumnParameters& columns,
                                              std::size_t lane, const Rules& rules) {
  const V nudged_min = hn::Load(d, columns.nudged_min + lane);
  return {.nudged_min = nudged_min,
          .nudged_max = hn::Load(d, columns.nudged_max + lane),
          .scale = hn::Load(d, columns.scale + lane),
          .inverse_scale = hn::Load(d, columns.inverse_scale + lane),
          .inverse_scale_low = hn::Load(d, columns.inverse_scale_low + lane),
          .have_inverses = columns.have_inverses,
          .lowest_step = hn::Load(d, columns.lowest_step + lane),
          .highest_step = hn::Load(d, columns.highest_step + lane),
          .quant_min = hn::Set(d, rules.quant_min),
          .quant_max = hn::Set(d, rules.quant_min + rules.levels),
          .nan = rules.keeps_nan ? hn::Set(d, kQuietNan) : nudged_min};
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
