// The formulas of docs/numerics.md for vectors of float32: values to steps, and steps
// to values and codes. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_FORMULAS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_FORMULAS_INL_H_
#undef QUANTD_CORE_KERNELS_FORMULAS_INL_H_
#else
#define QUANTD_CORE_KERNELS_FORMULAS_INL_H_
#endif

#include <cstdint>
#include <limits>

#include "core/kernels/convert-inl.h"
#include "core/kernels/fused_multiply_add-inl.h"
#include "core/kernels/vector_parameters-inl.h"
#include "core/numerics.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Returns x within [lower, upper]; NaN for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Clamp(D /*d*/, V x, V lower, V upper) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  // MINPS and MAXPS return their second operand if one is NaN.
  return hn::Max(lower, hn::Min(upper, x));
#else
  const V from_above = hn::IfThenElse(hn::Gt(x, upper), upper, x);
  return hn::IfThenElse(hn::Lt(from_above, lower), lower, from_above);
#endif
}

// Returns x > lower ? x : lower, which is `lower` for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V AboveOrLower(D /*d*/, V x, V lower) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return hn::Max(x, lower);
#else
  return hn::IfThenElse(hn::Gt(x, lower), x, lower);
#endif
}

// Returns x < upper ? x : upper, which is `upper` for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V BelowOrUpper(D /*d*/, V x, V upper) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  return hn::Min(x, upper);
#else
  return hn::IfThenElse(hn::Lt(x, upper), x, upper);
#endif
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V RoundHalfUp(D d, V x) {
  return hn::Floor(hn::Add(x, hn::Set(d, 0.5F)));
}

// Rounds half to even; numbers that become 0 keep their sign.
template <class V>
HWY_INLINE V RoundHalfEvenWithSign(V x) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
  return hn::Round(x);
#else
  // Without an instruction, it is rounded by adding and subtracting a large number.
  return hn::CopySign(hn::Round(x), x);
#endif
}

// Adds the largest float below a half: a half itself would round 0.49999997 to 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V RoundHalfAway(D d, V x) {
  return hn::Trunc(hn::Add(x, hn::CopySign(hn::Set(d, 0.49999997F), x)));
}

// Converts a whole number as x86 does: NaN and what does not fit give the lowest
// integer.
template <class DI, class V>
HWY_INLINE hn::Vec<DI> ToInt32(DI di, V x) {
  const hn::Rebind<float, DI> d;
  const auto fits = hn::Lt(hn::Abs(x), hn::Set(d, 0x1p31F));
  return hn::IfThenElse(hn::RebindMask(di, fits), hn::ConvertTo(di, x),
                        hn::Set(di, std::numeric_limits<std::int32_t>::min()));
}

// Returns the steps from zero of `from_zero`, a whole number of steps before it was
// limited, as 32-bit code: with zero point, wrapped and clamped.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V LimitedSteps(D d, V from_zero, const VectorParameters<V>& p) {
  const hn::RebindToSigned<D> di;
  const auto zero_point = hn::ConvertTo(di, hn::Sub(p.quant_min, p.lowest_step));
  const auto code = hn::Add(ToInt32(di, from_zero), zero_point);
  const auto limited =
      hn::Min(hn::Max(code, hn::ConvertTo(di, p.quant_min)), hn::ConvertTo(di, p.quant_max));
  return hn::ConvertTo(d, hn::Sub(limited, zero_point));
}

// Whether the formula is kDivideHalfEven in any precision.
template <StepFormula step>
constexpr bool kIsDivideHalfEven =
    step == StepFormula::kDivideHalfEven || step == StepFormula::kDivideHalfEvenFloat16 ||
    step == StepFormula::kDivideHalfEvenBFloat16;

// Whether the formula ends in rounding to even.
template <StepFormula step>
constexpr bool kRoundsHalfEven =
    kIsDivideHalfEven<step> || step == StepFormula::kMultiplyHalfEvenNanHighest;

// Returns the number of steps from zero, within the codes, before it is rounded.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE V LimitedQuotient(D d, V x, const VectorParameters<V>& p) {
  static_assert(kRoundsHalfEven<step>);
  if constexpr (step == StepFormula::kMultiplyHalfEvenNanHighest) {
    const V below = BelowOrUpper(d, hn::Mul(x, p.inverse_scale), p.highest_step);
    return hn::Max(below, p.lowest_step);
  } else if constexpr (step == StepFormula::kDivideHalfEven) {
    if constexpr (hn::MaxLanes(D()) == 1) {
      const V t = hn::Div(x, p.scale);
      return BelowOrUpper(d, AboveOrLower(d, t, p.lowest_step), p.highest_step);
    } else {
      // Limiting x before is the same, as it rounds to the same code, unless the ends
      // overflow.
      const V limited = BelowOrUpper(d, AboveOrLower(d, x, p.nudged_min), p.nudged_max);
      return DivideByInverse(d, limited, p.scale, p.inverse_scale);
    }
  } else {
    V t = hn::Div(x, p.scale);
    if constexpr (step == StepFormula::kDivideHalfEvenFloat16) {
      t = RoundToFloat16(d, t);
    } else {
      t = RoundToBFloat16(d, t);
    }
    return BelowOrUpper(d, AboveOrLower(d, t, p.lowest_step), p.highest_step);
  }
}

// Returns a whole number of steps; NaN where the formula keeps it. May be -0.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE V Steps(D d, V x, const VectorParameters<V>& p) {
  if constexpr (step == StepFormula::kDivide || step == StepFormula::kMultiply ||
                step == StepFormula::kMultiplyFused) {
    const V shifted = hn::Sub(Clamp(d, x, p.nudged_min, p.nudged_max), p.nudged_min);
    if constexpr (step == StepFormula::kDivide) {
      return RoundHalfUp(
          d, hn::Add(DivideByInverse(d, shifted, p.scale, p.inverse_scale), p.lowest_step));
    } else if constexpr (step == StepFormula::kMultiply) {
      return RoundHalfUp(d, hn::Add(hn::Mul(shifted, p.inverse_scale), p.lowest_step));
    } else {
      return RoundHalfUp(d, FusedMultiplyAdd(d, shifted, p.inverse_scale, p.lowest_step));
    }
  } else if constexpr (step == StepFormula::kFromLowest || step == StepFormula::kFromLowestFused ||
                       step == StepFormula::kFromLowestHalfAway) {
    const V number = hn::IfThenElse(hn::IsNaN(x), p.nan, x);
    const V shifted = hn::Sub(Clamp(d, number, p.nudged_min, p.nudged_max), p.nudged_min);
    if constexpr (step == StepFormula::kFromLowest) {
      return RoundHalfUp(d, hn::Mul(shifted, p.inverse_scale));
    } else if constexpr (step == StepFormula::kFromLowestFused) {
      return hn::Floor(FusedMultiplyAdd(d, shifted, p.inverse_scale, hn::Set(d, 0.5F)));
    } else {
      return RoundHalfAway(d, hn::Mul(shifted, p.inverse_scale));
    }
  } else if constexpr (step == StepFormula::kClampedHalfEven) {
    return RoundHalfEvenWithSign(hn::Mul(Clamp(d, x, p.nudged_min, p.nudged_max), p.inverse_scale));
  } else if constexpr (step == StepFormula::kClampedHalfUp) {
    return RoundHalfUp(d, hn::Mul(Clamp(d, x, p.nudged_min, p.nudged_max), p.inverse_scale));
  } else if constexpr (step == StepFormula::kClampedHalfAway) {
    return RoundHalfAway(d, hn::Mul(Clamp(d, x, p.nudged_min, p.nudged_max), p.inverse_scale));
  } else if constexpr (step == StepFormula::kFromLowerEnd ||
                       step == StepFormula::kFromLowerEndCentred) {
    const V lower_end = p.lowest_step;
    const V shifted = hn::Sub(hn::Max(x, lower_end), lower_end);
    // Limiting the steps is the same as limiting x, as it rounds to the same code.
    const V steps = hn::Min(hn::Mul(shifted, p.inverse_scale), p.quant_max);
    if constexpr (step == StepFormula::kFromLowerEnd) {
      return RoundHalfUp(d, steps);
    } else {
      const V half = hn::Mul(hn::Add(p.quant_max, hn::Set(d, 1.0F)), hn::Set(d, 0.5F));
      return hn::Add(RoundHalfAway(d, hn::Sub(steps, half)), half);
    }
  } else if constexpr (kRoundsHalfEven<step>) {
    return hn::Round(LimitedQuotient<step>(d, x, p));
  } else if constexpr (step == StepFormula::kMultiplyHalfEven) {
    const V zero_point = hn::Sub(p.quant_min, p.lowest_step);
    const V code = hn::Add(zero_point, hn::Round(hn::Mul(x, p.inverse_scale)));
    // What does not fit into 64 bits is the lowest, and so is NaN.
    const auto fits = hn::Lt(hn::Abs(code), hn::Set(d, 0x1p63F));
    const V limited = hn::Min(hn::Max(code, p.quant_min), p.quant_max);
    return hn::Sub(hn::IfThenElse(fits, limited, p.quant_min), zero_point);
  } else if constexpr (step == StepFormula::kDivideHalfAway) {
    // Beyond, the code is the same.
    const V bound = hn::Mul(p.scale, hn::Set(d, 0x1p32F));
    const V bounded = Clamp(d, x, hn::Neg(bound), bound);
    return LimitedSteps(d, RoundHalfAway(d, DivideByInverse(d, bounded, p.scale, p.inverse_scale)),
                        p);
  } else {
    static_assert(step == StepFormula::kMultiplyHalfUp);
    return LimitedSteps(d, RoundHalfUp(d, hn::Mul(x, p.inverse_scale)), p);
  }
}

// Returns the value of a whole number of steps.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE V Value(D d, V steps, const VectorParameters<V>& p) {
  if constexpr (ValueOf(step) == ValueFormula::kFromLowest) {
    return hn::Add(hn::Mul(steps, p.scale), p.nudged_min);
  } else if constexpr (ValueOf(step) == ValueFormula::kFromLowestFused) {
    return FusedMultiplyAdd(d, steps, p.scale, p.nudged_min);
  } else if constexpr (ValueOf(step) == ValueFormula::kFromLowerEnd) {
    return hn::Add(hn::Mul(steps, p.scale), p.lowest_step);
  } else if constexpr (kRoundsHalfEven<step>) {
    // A code has no -0.
    return hn::Mul(hn::Add(steps, hn::Zero(d)), p.scale);
  } else {
    return hn::Mul(steps, p.scale);
  }
}

// A float from 2^23 to 2^24 has a whole number in its low bits. This one is in the
// middle, so that negative numbers can be added.
constexpr float kWholeNumbers = 0x1.8p23F;

// Returns numbers whose low 16 bits are those of the steps of x.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> StepBits(D d, V x, const VectorParameters<V>& p) {
  const hn::RebindToUnsigned<D> du;
  const V whole_numbers = hn::Set(d, kWholeNumbers);
  if constexpr (kRoundsHalfEven<step>) {
    // The sum is rounded to even.
    return hn::BitCast(du, hn::Add(LimitedQuotient<step>(d, x, p), whole_numbers));
  } else {
    return hn::BitCast(du, hn::Add(Steps<step>(d, x, p), whole_numbers));
  }
}

// Returns the code of 0 steps, as it is stored.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> Origin(D /*d*/, const VectorParameters<V>& p,
                                                   std::int32_t code_offset) {
  const hn::RebindToUnsigned<D> du;
  const hn::RebindToSigned<D> di;
  const V origin =
      ValueOf(step) == ValueFormula::kFromZero ? hn::Sub(p.quant_min, p.lowest_step) : p.quant_min;
  return hn::BitCast(du, hn::Sub(hn::ConvertTo(di, origin), hn::Set(di, code_offset)));
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_FORMULAS_INL_H_
