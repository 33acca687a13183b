// The parameters of channels in vectors. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
#undef QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
#else
#define QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
#endif

#include <cstddef>

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
  V lowest_step;
  // lowest_step + levels
  V highest_step;
  V quant_min;
  V quant_max;
  // What a formula from the lowest code takes NaN for.
  V nan;
};

// Returns the parameters of a channel in every lane.
template <class D, class V = hn::Vec<D>>
HWY_INLINE VectorParameters<V> Broadcast(D d, const ChannelParameters& channel,
                                         const Rules& rules) {
  const V nudged_min = hn::Set(d, channel.nudged_min);
  return {.nudged_min = nudged_min,
          .nudged_max = hn::Set(d, channel.nudged_max),
          .scale = hn::Set(d, channel.scale),
          .inverse_scale = hn::Set(d, channel.inverse_scale),
          .lowest_step = hn::Set(d, channel.lowest_step),
          .highest_step = hn::Set(d, channel.lowest_step + rules.levels),
          .quant_min = hn::Set(d, rules.quant_min),
          .quant_max = hn::Set(d, rules.quant_min + rules.levels),
          .nan = rules.keeps_nan ? hn::NaN(d) : nudged_min};
}

// Returns the parameters of the columns from `lane` of a block on.
template <class D, class V = hn::Vec<D>>
HWY_INLINE VectorParameters<V> LoadParameters(D d, const ColumnParameters& columns,
                                              std::size_t lane, const Rules& rules) {
  const V scale = hn::Load(d, columns.scale + lane);
  const V lowest_step = hn::Load(d, columns.lowest_step + lane);
  const V highest_step = hn::Add(lowest_step, hn::Set(d, rules.levels));
  const V nudged_min = hn::Mul(lowest_step, scale);
  return {.nudged_min = nudged_min,
          .nudged_max = hn::Mul(highest_step, scale),
          .scale = scale,
          .inverse_scale = hn::Load(d, columns.inverse_scale + lane),
          .lowest_step = lowest_step,
          .highest_step = highest_step,
          .quant_min = hn::Set(d, rules.quant_min),
          .quant_max = hn::Set(d, rules.quant_min + rules.levels),
          .nan = rules.keeps_nan ? hn::NaN(d) : nudged_min};
}

// The width of a tile in vectors. The parameters of all of them, five each, must
// fit into the registers.
constexpr std::size_t kTileVectors = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 2 : 4;

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_VECTOR_PARAMETERS_INL_H_
