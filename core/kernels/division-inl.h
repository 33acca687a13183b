// Division by scales. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_DIVISION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_DIVISION_INL_H_
#undef QUANTD_CORE_KERNELS_DIVISION_INL_H_
#else
#define QUANTD_CORE_KERNELS_DIVISION_INL_H_
#endif

#include "core/kernels/fused_multiply_add-inl.h"
#include "core/kernels/vector_parameters-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whether vectors of D can divide by a multiplication. A single lane is divided.
template <class D>
constexpr bool kHasInverses = kHasFusedMultiplyAdd&& hn::MaxLanes(D()) > 1;

// Returns x / scale, rounded once, for scales that all have an inverse in two parts
// (core/kernels/inverse.h) and |x| <= scale * 2^32. Below scale * 2^-25, the quotient may
// be off in its last bits. Far beyond scale * 2^32, it may be NaN or an infinity of either sign.
template <class V>
HWY_INLINE V MultiplyByInverse(V x, const VectorParameters<V>& p) {
  return hn::MulAdd(x, p.inverse_scale, hn::Mul(x, p.inverse_scale_low));
}

// The same for any scales.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V DivideByScale(D /*d*/, V x, const VectorParameters<V>& p) {
  if constexpr (kHasInverses<D>) {
    if (HWY_LIKELY(p.have_inverses)) {
      return MultiplyByInverse(x, p);
    }
  }
  return hn::Div(x, p.scale);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_DIVISION_INL_H_
