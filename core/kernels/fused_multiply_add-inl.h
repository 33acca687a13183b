// a * b + c with a single rounding, on every target. Included once for each SIMD
// target.

#if defined(QUANTD_CORE_KERNELS_FUSED_MULTIPLY_ADD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_FUSED_MULTIPLY_ADD_INL_H_
#undef QUANTD_CORE_KERNELS_FUSED_MULTIPLY_ADD_INL_H_
#else
#define QUANTD_CORE_KERNELS_FUSED_MULTIPLY_ADD_INL_H_
#endif

#include <bit>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whether vectors have an instruction for it.
constexpr bool kHasFusedMultiplyAdd =
    HWY_TARGET != HWY_SCALAR && (!HWY_ARCH_X86 || HWY_TARGET <= HWY_AVX2);

// The product of two floats is exact in double. Their sum with a third is rounded to
// odd, which rounds to the same float as the exact sum does: Boldo and Melquiond,
// "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
// odd", 2008.
HWY_INLINE float EmulatedMultiplyAdd(float a, float b, float c) {
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = c;
  const double sum = product + addend;
  const double rest = sum - product;
  const double error = (product - (sum - rest)) + (addend - rest);
  auto bits = std::bit_cast<std::uint64_t>(sum);
  // Neither is true of NaN.
  if ((error > 0 || error < 0) && bits % 2 == 0) {
    bits += (error > 0) == (sum > 0) ? 1 : -1;
  }
  return static_cast<float>(std::bit_cast<double>(bits));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V FusedMultiplyAdd(D d, V a, V b, V c) {
  if constexpr (kHasFusedMultiplyAdd) {
    return hn::MulAdd(a, b, c);
  } else {
    HWY_ALIGN float lanes[3][HWY_MAX_BYTES / sizeof(float)];
    hn::Store(a, d, lanes[0]);
    hn::Store(b, d, lanes[1]);
    hn::Store(c, d, lanes[2]);
    for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
      lanes[0][i] = EmulatedMultiplyAdd(lanes[0][i], lanes[1][i], lanes[2][i]);
    }
    return hn::Load(d, lanes[0]);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_FUSED_MULTIPLY_ADD_INL_H_
