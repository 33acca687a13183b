// float16 and bfloat16 as vectors of float32, and back. Included once for each SIMD
// target.

#if defined(QUANTD_CORE_KERNELS_CONVERT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_CONVERT_INL_H_
#undef QUANTD_CORE_KERNELS_CONVERT_INL_H_
#else
#define QUANTD_CORE_KERNELS_CONVERT_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whether vectors have instructions for float16. Highway's replacements do not round
// to the nearest.
constexpr bool kHasFloat16 = HWY_TARGET != HWY_SCALAR && (!HWY_ARCH_X86 || HWY_TARGET < HWY_SSE4);

// Vectors of 16 bits, of as many lanes as those of floats.
template <class D>
using Tag16 = hn::Rebind<std::uint16_t, D>;

// Returns the numbers, infinities and NaN of float16 with these bits.
template <class D>
HWY_INLINE hn::Vec<D> WidenFloat16(D d, hn::Vec<Tag16<D>> bits) {
  if constexpr (kHasFloat16) {
    return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
  } else {
    const hn::RebindToUnsigned<D> du;
    const auto wide = hn::PromoteTo(du, bits);
    const auto magnitude = hn::And(wide, hn::Set(du, 0x7FFF));
    const auto sign = hn::ShiftLeft<16>(hn::Xor(wide, magnitude));
    const auto shifted = hn::ShiftLeft<13>(magnitude);
    const auto normal = hn::Add(shifted, hn::Set(du, 112U << 23));
    // A subnormal is what the mantissa adds to the smallest normal number. (A product
    // would be flushed to zero in kernels that run so.)
    const auto smallest = hn::Set(du, 113U << 23);
    const auto subnormal = hn::BitCast(
        du, hn::Sub(hn::BitCast(d, hn::Add(shifted, smallest)), hn::BitCast(d, smallest)));
    const auto finite = hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 0x400)), subnormal, normal);
    const auto special = hn::Or(shifted, hn::Set(du, 0x7F800000));
    const auto is_special = hn::Gt(magnitude, hn::Set(du, 0x7BFF));
    return hn::BitCast(d, hn::Or(sign, hn::IfThenElse(is_special, special, finite)));
  }
}

// Returns the bits of the nearest float16; ties to even.
template <class D>
HWY_INLINE hn::Vec<Tag16<D>> NarrowToFloat16(D d, hn::Vec<D> v) {
  if constexpr (kHasFloat16) {
    return hn::BitCast(Tag16<D>(), hn::DemoteTo(hn::Rebind<hwy::float16_t, D>(), v));
  } else {
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::BitCast(du, v);
    const auto magnitude = hn::And(bits, hn::Set(du, 0x7FFFFFFF));
    const auto sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude));
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(du, 1));
    const auto rounded = hn::Add(hn::Add(magnitude, hn::Set(du, 0xFFF)), odd);
    auto result = hn::ShiftRight<13>(hn::Sub(rounded, hn::Set(du, 112U << 23)));
    // Floats from a half to 1 are 2^-24 apart, and so are the subnormal float16.
    const auto half = hn::Set(d, 0.5F);
    const auto subnormal =
        hn::Sub(hn::BitCast(du, hn::Add(hn::BitCast(d, magnitude), half)), hn::BitCast(du, half));
    result = hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 0x38800000)), subnormal, result);
    // Halfway between the largest number and what would be the next one.
    const auto infinity = hn::Set(du, 0x7C00);
    result = hn::IfThenElse(hn::Gt(magnitude, hn::Set(du, 0x477FEFFF)), infinity, result);
    const auto nan = hn::Set(du, 0x7E00);
    result = hn::IfThenElse(hn::Gt(magnitude, hn::Set(du, 0x7F800000)), nan, result);
    return hn::TruncateTo(Tag16<D>(), hn::Or(sign, result));
  }
}

template <class D>
HWY_INLINE hn::Vec<D> RoundToFloat16(D d, hn::Vec<D> v) {
  return WidenFloat16(d, NarrowToFloat16(d, v));
}

// The same for bfloat16, which is the upper half of a float32.
template <class D>
HWY_INLINE hn::Vec<D> WidenBFloat16(D d, hn::Vec<Tag16<D>> bits) {
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<D>(), bits)));
}

// Returns the float32 whose upper half is the nearest bfloat16, for numbers, infinities, and
// NaN whose lower half is 0.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> NearestUpperHalf(D /*d*/, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  return hn::Add(hn::Add(bits, hn::Set(du, 0x7FFF)), odd);
}

template <class D>
HWY_INLINE hn::Vec<Tag16<D>> NarrowToBFloat16(D d, hn::Vec<D> v) {
  const hn::RebindToUnsigned<D> du;
  const auto nan = hn::Set(du, 0x7FC00000);
  const auto is_nan = hn::RebindMask(du, hn::IsNaN(v));
  const auto result = hn::IfThenElse(is_nan, nan, NearestUpperHalf(d, v));
  return hn::TruncateTo(Tag16<D>(), hn::ShiftRight<16>(result));
}

template <class D>
HWY_INLINE hn::Vec<D> RoundToBFloat16(D d, hn::Vec<D> v) {
  return WidenBFloat16(d, NarrowToBFloat16(d, v));
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_CONVERT_INL_H_
