// The forward kernels as templates over the formula, the type of output and the kind
// of store. Included once for each SIMD target, by the translation unit of each type
// of output.

#if defined(QUANTD_CORE_KERNELS_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
#undef QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
#else
#define QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
#endif

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "core/kernels/elementwise-inl.h"
#include "core/kernels/floats-inl.h"
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/formulas-inl.h"
#include "core/kernels/integers-inl.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/parameters.h"
#include "core/kernels/quantize.h"
#include "core/kernels/vector_parameters-inl.h"
#include "core/numerics.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whether NaN may have no code.
template <StepFormula step, typename Out>
constexpr bool kNotesNan = !IsFloat<Out> && IsOfRanges(step);

// Whether a kernel has seen NaN, whose number is the lowest integer. No other value of a
// range has it.
template <class DI>
class NanNote {
 public:
  HWY_INLINE NanNote() : lowest_(hn::Zero(DI())) {}

  HWY_INLINE void Add(hn::Vec<DI> numbers) { lowest_ = hn::Min(lowest_, numbers); }
  HWY_INLINE bool Seen() const {
    return !hn::AllFalse(DI(),
                         hn::Eq(lowest_, hn::Set(DI(), std::numeric_limits<std::int32_t>::min())));
  }

 private:
  hn::Vec<DI> lowest_;
};

// Stores the low 8 or 16 bits of each lane, past the cache only if there are 16.
template <Store store, class D, class V, typename Out>
HWY_INLINE void StoreLowBits(D /*d*/, V v, Out* to) {
  const hn::Rebind<Out, D> narrow;
  const auto bits = hn::BitCast(hn::RebindToUnsigned<D>(), v);
  if constexpr (hn::MaxLanes(D()) == 1) {
    *to = static_cast<Out>(hn::GetLane(v));
  } else if constexpr (sizeof(Out) == 1) {
    // Not TruncateTo(), which permutes the lanes on a target of Highway 1.0.3.
    hn::StoreU(hn::U8FromU32(bits), narrow, to);
  } else {
    StoreVector<store>(narrow, hn::TruncateTo(narrow, bits), to);
  }
}

// Quantizes with one formula: an Operation of elementwise-inl.h.
template <StepFormula step, typename InType, typename OutType>
struct Quantization {
  using In = InType;
  using Out = OutType;

  template <class D>
  class Vectors {
   public:
    using V = hn::Vec<D>;

    HWY_INLINE Vectors(const VectorParameters<V>& parameters, const Rules& rules)
        : parameters_(parameters),
          lowest_code_(static_cast<std::int32_t>(rules.quant_min) - rules.code_offset),
          lowest_number_(LowestNumber<step>(D(), parameters)),
          origin_(hn::Sub(hn::Set(Int32(), lowest_code_), lowest_number_)) {}

    template <Store store>
    HWY_INLINE void StoreOne(V x, Out* to) {
      const D d;
      if constexpr (IsFloat<Out>) {
        StoreFloats<store>(d, ValueAt(x), to);
      } else {
        StoreLowBits<store>(d, hn::Add(hn::Max(NumbersOf(x), lowest_number_), origin_), to);
      }
    }

    template <Store store>
    static HWY_INLINE void StoreFour(Vectors& vectors0, Vectors& vectors1, Vectors& vectors2,
                                     Vectors& vectors3, V x0, V x1, V x2, V x3, Out* to) {
      if constexpr (sizeof(Out) == 1 && HWY_TARGET != HWY_SCALAR) {
        // The distance from the lowest number is limited to 0 on the way to bytes.
        const auto above01 =
            hn::SaturatedSub(JoinShorts(vectors0.NumbersOf(x0), vectors1.NumbersOf(x1)),
                             JoinShorts(vectors0.lowest_number_, vectors1.lowest_number_));
        const auto above23 =
            hn::SaturatedSub(JoinShorts(vectors2.NumbersOf(x2), vectors3.NumbersOf(x3)),
                             JoinShorts(vectors2.lowest_number_, vectors3.lowest_number_));
        const hn::Repartition<std::uint8_t, D> d8;
        // It is the same for all channels.
        const auto lowest_code = hn::Set(d8, static_cast<std::uint8_t>(vectors0.lowest_code_));
        StoreVector<store>(d8, InOrder(hn::Add(JoinBytes(above01, above23), lowest_code)), to);
      } else if constexpr (IsFloat<Out> && sizeof(Out) == 2 && HWY_TARGET != HWY_SCALAR) {
        const D d;
        const std::size_t lanes = hn::Lanes(hn::Repartition<std::uint16_t, D>());
        StoreTwo<store>(d, vectors0.ValueAt(x0), vectors1.ValueAt(x1), to);
        StoreTwo<store>(d, vectors2.ValueAt(x2), vectors3.ValueAt(x3), to + lanes);
      } else {
        StoreEach<store>(vectors0, vectors1, vectors2, vectors3, x0, x1, x2, x3, to);
      }
    }

    HWY_INLINE bool SeenNan() const {
      if constexpr (kNotesNan<step, Out>) {
        return nan_.Seen();
      } else {
        return false;
      }
    }

   private:
    using Int32 = hn::RebindToSigned<D>;

    HWY_INLINE V ValueAt(V x) const {
      const D d;
      return Value<step>(d, Steps<step>(d, x, parameters_), parameters_);
    }

    HWY_INLINE hn::Vec<Int32> NumbersOf(V x) {
      const auto numbers = Numbers<step>(D(), x, parameters_);
      if constexpr (kNotesNan<step, Out>) {
        nan_.Add(numbers);
      }
      return numbers;
    }

    VectorParameters<V> parameters_;
    // The lowest code as it is stored, its number, and what makes it of that number.
    std::int32_t lowest_code_;
    hn::Vec<Int32> lowest_number_;
    hn::Vec<Int32> origin_;
    NanNote<Int32> nan_;
  };
};

// From here on, what was decided at run time becomes a template argument.

// Whether subnormal numbers matter to a formula. The values of some are products, which
// do not become subnormal, and codes have no sign of zero.
template <StepFormula step, typename Out>
constexpr bool kHasSubnormals = KeepsZeroSign(step)
                                    ? IsFloat<Out>
                                    : ValueOf(step) != ValueFormula::kFromZero && !IsOfCodes(step);

// Arguments are those of a run or of columns.
template <StepFormula step, template <typename, typename> class Arguments, typename In,
          typename Out>
bool WithMode(const Arguments<In, Out>& arguments) {
  using Operation = Quantization<step, In, Out>;
  if constexpr (kHasSubnormals<step, Out>) {
    if (arguments.rules->flushes_subnormals) {
      const ScopedFlushSubnormals flush;
      return Compute<Operation>(arguments);
    }
  }
  return Compute<Operation>(arguments);
}

// Compiles a formula for the types of output that are computed with it.
template <StepFormula step, template <typename, typename> class Arguments, typename In,
          typename Out>
bool WithOutput(const Arguments<In, Out>& arguments) {
  if constexpr (IsFloat<Out> ? !IsOfCodes(step) : !IsOfFloats(step)) {
    return WithMode<step>(arguments);
  } else {
    assert(false && "Resolve() chooses no such formula");
    return false;
  }
}

template <class Arguments>
bool WithFormula(const Arguments& arguments) {
  switch (arguments.rules->step) {
    case StepFormula::kDivide:
      return WithMode<StepFormula::kDivide>(arguments);
    case StepFormula::kMultiply:
      return WithMode<StepFormula::kMultiply>(arguments);
    case StepFormula::kMultiplyFused:
      return WithMode<StepFormula::kMultiplyFused>(arguments);
    case StepFormula::kFromLowest:
      return WithMode<StepFormula::kFromLowest>(arguments);
    case StepFormula::kFromLowestFused:
      return WithMode<StepFormula::kFromLowestFused>(arguments);
    case StepFormula::kFromLowestHalfAway:
      return WithMode<StepFormula::kFromLowestHalfAway>(arguments);
    case StepFormula::kClampedHalfEven:
      return WithOutput<StepFormula::kClampedHalfEven>(arguments);
    case StepFormula::kClampedHalfUp:
      return WithOutput<StepFormula::kClampedHalfUp>(arguments);
    case StepFormula::kClampedHalfAway:
      return WithOutput<StepFormula::kClampedHalfAway>(arguments);
    case StepFormula::kFromLowerEnd:
      return WithOutput<StepFormula::kFromLowerEnd>(arguments);
    case StepFormula::kFromLowerEndCentred:
      return WithOutput<StepFormula::kFromLowerEndCentred>(arguments);
    case StepFormula::kDivideHalfEven:
      return WithMode<StepFormula::kDivideHalfEven>(arguments);
    case StepFormula::kDivideHalfEvenFloat16:
      return WithMode<StepFormula::kDivideHalfEvenFloat16>(arguments);
    case StepFormula::kDivideHalfEvenBFloat16:
      return WithMode<StepFormula::kDivideHalfEvenBFloat16>(arguments);
    case StepFormula::kMultiplyHalfEven:
      return WithMode<StepFormula::kMultiplyHalfEven>(arguments);
    case StepFormula::kDivideHalfAway:
      return WithMode<StepFormula::kDivideHalfAway>(arguments);
    case StepFormula::kMultiplyHalfEvenNanHighest:
      return WithMode<StepFormula::kMultiplyHalfEvenNanHighest>(arguments);
    case StepFormula::kMultiplyHalfUp:
      return WithMode<StepFormula::kMultiplyHalfUp>(arguments);
  }
  return false;
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
