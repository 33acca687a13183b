// The formulas of docs/numerics.md for vectors of float32: values to steps, and steps
// to values and codes. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_FORMULAS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_FORMULAS_INL_H_
#undef QUANTD_CORE_KERNELS_FORMULAS_INL_H_
#else
#define QUANTD_CORE_KERNELS_FORMULAS_INL_H_
#endif

#include "core/kernels/convert-inl.h"
#include "core/kernels/division-inl.h"
#include "core/kernels/fused_multiply_add-inl.h"
#include "core/kernels/integers-inl.h"
#include "core/kernels/vector_parameters-inl.h"
#include "core/numerics.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Returns x within [lower, upper]; NaN for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Clamp(D /*d*/, V x, V lower, V upper) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
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
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::Max(x, lower);
#else
  return hn::IfThenElse(hn::Gt(x, lower), x, lower);
#endif
}

// Returns x < lower ? lower : x, which is NaN for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V AboveLowerOrNan(D /*d*/, V x, V lower) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::Max(lower, x);
#else
  return hn::IfThenElse(hn::Lt(x, lower), lower, x);
#endif
}

// Returns x > upper ? upper : x, which is NaN for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V BelowUpperOrNan(D /*d*/, V x, V upper) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::Min(upper, x);
#else
  return hn::IfThenElse(hn::Gt(x, upper), upper, x);
#endif
}

// Returns x < upper ? x : upper, which is `upper` for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V BelowOrUpper(D /*d*/, V x, V upper) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::Min(x, upper);
#else
  return hn::IfThenElse(hn::Lt(x, upper), x, upper);
#endif
}

// Returns what is x, rounded half up, if it is rounded down.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V BeforeHalfUp(D d, V x) {
  return hn::Add(x, hn::Set(d, 0.5F));
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

// Returns what is x, rounded half away from zero, if it is rounded towards zero. Adds the
// largest float below a half: a half itself would round 0.49999997 to 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V BeforeHalfAway(D d, V x) {
  return hn::Add(x, hn::CopySign(hn::Set(d, 0.49999997F), x));
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

// Returns the number of steps from zero before it is rounded, limited by the highest code.
// NaN is NaN or the lowest, unless the formula makes it the highest. With kDivideHalfEven,
// what is far below the lowest may become NaN or an infinity of either sign.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE V QuotientUpToHighest(D d, V x, const VectorParameters<V>& p) {
  static_assert(kRoundsHalfEven<step>);
  if constexpr (step == StepFormula::kMultiplyHalfEvenNanHighest) {
    return BelowOrUpper(d, hn::Mul(x, p.inverse_scale), p.highest_step);
  } else {
    if constexpr (step == StepFormula::kDivideHalfEven && kHasInverses<D>) {
      if (HWY_LIKELY(p.have_inverses)) {
        // To limit x before is the same, as the quotient rounds to the same code.
        return MultiplyByInverse(BelowUpperOrNan(d, x, p.nudged_max), p);
      }
    }
    V t = hn::Div(x, p.scale);
    if constexpr (step == StepFormula::kDivideHalfEvenFloat16) {
      t = RoundToFloat16(d, t);
    } else if constexpr (step == StepFormula::kDivideHalfEvenBFloat16) {
      t = RoundToBFloat16(d, t);
    }
    return BelowUpperOrNan(d, t, p.highest_step);
  }
}

// Returns the number of steps from the lower end of the range, up to the highest, before it
// is rounded. NaN for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V QuotientFromLowerEnd(D d, V x, const VectorParameters<V>& p) {
  const V lower_end = p.lowest_step;
  const V shifted = hn::Sub(AboveLowerOrNan(d, x, lower_end), lower_end);
  // Limiting the steps is the same as limiting x, as it rounds to the same code.
  return BelowUpperOrNan(d, hn::Mul(shifted, p.inverse_scale), p.quant_max);
}

// Returns half the number of codes.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V HalfOfCodes(D d, const VectorParameters<V>& p) {
  return hn::Mul(hn::Add(p.quant_max, hn::Set(d, 1.0F)), hn::Set(d, 0.5F));
}

// Whether the formula rounds half away from zero.
template <StepFormula step>
constexpr bool kRoundsHalfAway =
    step == StepFormula::kFromLowestHalfAway || step == StepFormula::kClampedHalfAway ||
    step == StepFormula::kFromLowerEndCentred;

// Returns the number of steps of a formula of ranges, before it is rounded down, or towards
// zero if the formula rounds half away from zero, or to even with kClampedHalfEven. NaN
// where the formula keeps it.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE V StepsOfRange(D d, V x, const VectorParameters<V>& p) {
  static_assert(IsOfRanges(step));
  [[maybe_unused]] const auto shift = [&](V value) HWY_ATTR {
    return hn::Sub(Clamp(d, value, p.nudged_min, p.nudged_max), p.nudged_min);
  };
  [[maybe_unused]] const auto clamped = [&]() HWY_ATTR {
    return hn::Mul(Clamp(d, x, p.nudged_min, p.nudged_max), p.inverse_scale);
  };
  [[maybe_unused]] const auto number = [&]() HWY_ATTR {
    return hn::IfThenElse(hn::IsNaN(x), p.nan, x);
  };
  if constexpr (step == StepFormula::kDivide) {
    return BeforeHalfUp(d, hn::Add(DivideByScale(d, shift(x), p), p.lowest_step));
  } else if constexpr (step == StepFormula::kMultiply) {
    return BeforeHalfUp(d, hn::Add(hn::Mul(shift(x), p.inverse_scale), p.lowest_step));
  } else if constexpr (step == StepFormula::kMultiplyFused) {
    return BeforeHalfUp(d, FusedMultiplyAdd(d, shift(x), p.inverse_scale, p.lowest_step));
  } else if constexpr (step == StepFormula::kFromLowest) {
    return BeforeHalfUp(d, hn::Mul(shift(number()), p.inverse_scale));
  } else if constexpr (step == StepFormula::kFromLowestFused) {
    return FusedMultiplyAdd(d, shift(number()), p.inverse_scale, hn::Set(d, 0.5F));
  } else if constexpr (step == StepFormula::kFromLowestHalfAway) {
    return BeforeHalfAway(d, hn::Mul(shift(number()), p.inverse_scale));
  } else if constexpr (step == StepFormula::kClampedHalfEven) {
    return clamped();
  } else if constexpr (step == StepFormula::kClampedHalfUp) {
    return BeforeHalfUp(d, clamped());
  } else if constexpr (step == StepFormula::kClampedHalfAway) {
    return BeforeHalfAway(d, clamped());
  } else if constexpr (step == StepFormula::kFromLowerEnd) {
    return BeforeHalfUp(d, QuotientFromLowerEnd(d, x, p));
  } else {
    static_assert(step == StepFormula::kFromLowerEndCentred);
    return BeforeHalfAway(d, hn::Sub(QuotientFromLowerEnd(d, x, p), HalfOfCodes(d, p)));
  }
}

// Returns the code of kMultiplyHalfEven up to the highest, as a float. NaN for NaN and for
// what does not fit into 64 bits, unless that is far below the lowest.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V CodeUpToHighest(D d, V x, const VectorParameters<V>& p) {
  const V zero_point = hn::Sub(p.quant_min, p.lowest_step);
  const V code = hn::Add(zero_point, hn::Round(hn::Mul(x, p.inverse_scale)));
  const auto too_high = hn::Ge(code, hn::Set(d, 0x1p63F));
  return hn::IfThenElse(too_high, hn::Set(d, kQuietNan), BelowUpperOrNan(d, code, p.quant_max));
}

// Whether the formula computes codes modulo 2^32.
template <StepFormula step>
constexpr bool kWraps =
    step == StepFormula::kDivideHalfAway || step == StepFormula::kMultiplyHalfUp;

// Returns codes of 32 bits, up to the highest, of a formula that wraps.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> WrappedCodes(D d, V x, const VectorParameters<V>& p) {
  static_assert(kWraps<step>);
  const auto zero_point = NearestInt32(hn::Sub(p.quant_min, p.lowest_step));
  const auto highest = NearestInt32(p.quant_max);
  if constexpr (step == StepFormula::kDivideHalfAway) {
    const auto steps = TruncInt32(BeforeHalfAway(d, DivideByScale(d, x, p)));
    return hn::Min(hn::Add(steps, zero_point), highest);
  } else {
    const auto steps = FloorInt32(BeforeHalfUp(d, hn::Mul(x, p.inverse_scale)));
    return hn::Min(hn::Add(steps, zero_point), highest);
  }
}

// Returns a whole number of steps; NaN where the formula keeps it. May be -0.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE V Steps(D d, V x, const VectorParameters<V>& p) {
  static_assert(!IsOfCodes(step));
  if constexpr (step == StepFormula::kClampedHalfEven) {
    return RoundHalfEvenWithSign(StepsOfRange<step>(d, x, p));
  } else if constexpr (kRoundsHalfAway<step>) {
    return hn::Trunc(StepsOfRange<step>(d, x, p));
  } else if constexpr (IsOfRanges(step)) {
    return hn::Floor(StepsOfRange<step>(d, x, p));
  } else if constexpr (kRoundsHalfEven<step>) {
    // The quotient of what is far below may have overflowed.
    const V above = step == StepFormula::kDivideHalfEven ? AboveOrLower(d, x, p.nudged_min) : x;
    return hn::Round(AboveOrLower(d, QuotientUpToHighest<step>(d, above, p), p.lowest_step));
  } else if constexpr (step == StepFormula::kMultiplyHalfEven) {
    const V zero_point = hn::Sub(p.quant_min, p.lowest_step);
    return hn::Sub(AboveOrLower(d, CodeUpToHighest(d, x, p), p.quant_min), zero_point);
  } else {
    const auto zero_point = NearestInt32(hn::Sub(p.quant_min, p.lowest_step));
    const auto code = hn::Max(WrappedCodes<step>(d, x, p), NearestInt32(p.quant_min));
    return hn::ConvertTo(d, hn::Sub(code, zero_point));
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

// Codes are computed as whole numbers, up to the highest, from which others follow by an
// addition. What is below the number of the lowest code stands for the lowest code, and so
// does NaN.
//
// Returns the numbers of x.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> Numbers(D d, V x, const VectorParameters<V>& p) {
  if constexpr (step == StepFormula::kClampedHalfEven) {
    return NearestInt32(StepsOfRange<step>(d, x, p));
  } else if constexpr (kRoundsHalfAway<step>) {
    return TruncInt32(StepsOfRange<step>(d, x, p));
  } else if constexpr (IsOfRanges(step)) {
    return FloorInt32(StepsOfRange<step>(d, x, p));
  } else if constexpr (kRoundsHalfEven<step>) {
    return NearestInt32(QuotientUpToHighest<step>(d, x, p));
  } else if constexpr (step == StepFormula::kMultiplyHalfEven) {
    return NearestInt32(CodeUpToHighest(d, x, p));
  } else {
    return WrappedCodes<step>(d, x, p);
  }
}

// Returns the number of the lowest code.
template <StepFormula step, class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> LowestNumber([[maybe_unused]] D d,
                                                       const VectorParameters<V>& p) {
  if constexpr (kWraps<step> || step == StepFormula::kMultiplyHalfEven) {
    return NearestInt32(p.quant_min);
  } else if constexpr (step == StepFormula::kFromLowerEndCentred) {
    return NearestInt32(hn::Neg(HalfOfCodes(d, p)));
  } else if constexpr (ValueOf(step) == ValueFormula::kFromZero) {
    return NearestInt32(p.lowest_step);
  } else {
    return hn::Zero(hn::RebindToSigned<D>());
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_FORMULAS_INL_H_
