// The forward kernels as templates over the formula, the type of output and the kind
// of store. Included once for each SIMD target, by the translation unit of each type
// of output.

#if defined(QUANTD_CORE_KERNELS_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
#undef QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
#else
#define QUANTD_CORE_KERNELS_QUANTIZE_INL_H_
#endif

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "core/base/element_pointer.h"
#include "core/kernels/bytes-inl.h"
#include "core/kernels/floats-inl.h"
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/formulas-inl.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/parameters.h"
#include "core/kernels/quantize.h"
#include "core/kernels/vector_parameters-inl.h"
#include "core/numerics.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Whether NaN may have no code.
template <StepFormula step, typename Out>
constexpr bool kNotesNan = !IsFloat<Out> && IsOfRanges(step);

// Whether a kernel has seen NaN.
template <class D>
class NanNote {
 public:
  HWY_INLINE NanNote() : seen_(hn::Zero(D())) {}

  HWY_INLINE void Add(hn::Vec<D> x) { seen_ = hn::Or(seen_, hn::VecFromMask(D(), hn::IsNaN(x))); }
  HWY_INLINE bool Seen() const {
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::BitCast(du, seen_);
    return !hn::AllTrue(du, hn::Eq(bits, hn::Zero(du)));
  }

 private:
  hn::Vec<D> seen_;
};

// Stores the low 8 or 16 bits of each lane.
template <class D, class V, typename Out>
HWY_INLINE void StoreLowBits(D /*d*/, V v, Out* to) {
  const hn::Rebind<Out, D> narrow;
  if constexpr (hn::MaxLanes(D()) == 1) {
    *to = static_cast<Out>(hn::GetLane(v));
  } else if constexpr (sizeof(Out) == 1) {
    // Not TruncateTo(), which permutes the lanes of AVX3_DL in Highway 1.0.3.
    hn::StoreU(hn::U8FromU32(v), narrow, to);
  } else {
    hn::StoreU(hn::TruncateTo(narrow, v), narrow, to);
  }
}

// Quantizes vectors with one formula.
template <StepFormula step, typename Out, class D>
class Quantization {
 public:
  using V = hn::Vec<D>;
  using Bits = hn::Vec<hn::RebindToUnsigned<D>>;

  HWY_INLINE Quantization(const VectorParameters<V>& parameters, const Rules& rules)
      : parameters_(parameters), origin_(Origin<step>(D(), parameters, rules.code_offset)) {}

  // Writes the results of x.
  template <Store store>
  HWY_INLINE void operator()(V x, Out* to) {
    const D d;
    if constexpr (IsFloat<Out>) {
      const V value = Value<step>(d, Steps<step>(d, x, parameters_), parameters_);
      StoreFloats<store>(d, value, to);
    } else {
      StoreLowBits(d, hn::Add(StepBitsOf(x), origin_), to);
    }
  }

  // Returns numbers whose low bits are those of the steps of x.
  HWY_INLINE Bits StepBitsOf(V x) {
    if constexpr (kNotesNan<step, Out>) {
      nan_.Add(x);
    }
    return StepBits<step>(D(), x, parameters_);
  }

  // The code of 0 steps, which is the same in every lane of a run.
  HWY_INLINE Bits origin() const { return origin_; }

  HWY_INLINE bool SeenNan() const {
    if constexpr (kNotesNan<step, Out>) {
      return nan_.Seen();
    } else {
      return false;
    }
  }

 private:
  VectorParameters<V> parameters_;
  Bits origin_;
  NanNote<D> nan_;
};

// Works element by element.
template <StepFormula step, typename In, typename Out>
bool SingleElements(const RunArguments<In, Out>& arguments) {
  const hn::CappedTag<float, 1> d;
  Quantization<step, Out, decltype(d)> quantize(Broadcast(d, *arguments.channel, *arguments.rules),
                                                *arguments.rules);
  for (std::size_t i = 0; i < arguments.count; ++i) {
    quantize.template operator()<Store::kCached>(LoadFloats(d, arguments.input + i),
                                                 arguments.output + i);
  }
  return quantize.SeenNan();
}

// Writes four vectors of codes as one.
template <StepFormula step, class Quantize>
HWY_INLINE void QuantizeFour(Quantize& quantize, ElementPointer<float> input,
                             std::uint8_t* output) {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<std::uint8_t> d8;
  const std::size_t lanes = hn::Lanes(d);
  const auto steps = JoinLowBytes(quantize.StepBitsOf(LoadFloats(d, input)),
                                  quantize.StepBitsOf(LoadFloats(d, input + lanes)),
                                  quantize.StepBitsOf(LoadFloats(d, input + 2 * lanes)),
                                  quantize.StepBitsOf(LoadFloats(d, input + 3 * lanes)));
  const auto origin = hn::Set(d8, static_cast<std::uint8_t>(hn::GetLane(quantize.origin())));
  hn::StoreU(hn::Add(steps, origin), d8, output);
}

// Returns whether any element was NaN without a code.
template <StepFormula step, Store store, typename In, typename Out>
bool Run(const RunArguments<In, Out>& arguments) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t count = arguments.count;
  if (count < 2 * lanes || !arguments.rules->divides_by_inverse) {
    return SingleElements<step>(arguments);
  }
  Quantization<step, Out, decltype(d)> quantize(Broadcast(d, *arguments.channel, *arguments.rules),
                                                *arguments.rules);
  const ElementPointer<In> input = arguments.input;
  Out* const output = arguments.output;

  // The first and the last vector overlap their neighbours instead of being
  // shorter. They are loaded first and stored last, because input and output
  // may be the same.
  const V first = LoadFloats(d, input);
  const V last = LoadFloats(d, input + (count - lanes));
  std::size_t i = ElementsToAlignment(output, lanes);
  if constexpr (std::same_as<In, float> && sizeof(Out) == 1 && HWY_TARGET != HWY_SCALAR) {
    for (; i + 4 * lanes <= count; i += 4 * lanes) {
      QuantizeFour<step>(quantize, input + i, output + i);
    }
  }
  for (; i + lanes <= count; i += lanes) {
    quantize.template operator()<store>(LoadFloats(d, input + i), output + i);
  }
  quantize.template operator()<Store::kCached>(first, output);
  quantize.template operator()<Store::kCached>(last, output + count - lanes);
  return quantize.SeenNan();
}

// Works on `vectors` vectors side by side in every row, the first of which begins
// at `column`. `quantize` are those of the vectors that have theirs already: their
// parameters stay in registers.
template <std::size_t vectors, StepFormula step, Store store, class D, typename In, typename Out,
          class... Quantize>
HWY_INLINE bool ColumnTile(D d, const ColumnsArguments<In, Out>& arguments, std::size_t column,
                           Quantize&... quantize) {
  const std::size_t lanes = hn::Lanes(d);
  if constexpr (sizeof...(quantize) < vectors) {
    const std::size_t next = column + sizeof...(quantize) * lanes;
    const Rules& rules = *arguments.rules;
    Quantization<step, Out, D> quantize_next(
        LoadParameters(d, arguments.parameters[next / kMaxLanes], next % kMaxLanes, rules), rules);
    return ColumnTile<vectors, step, store>(d, arguments, column, quantize..., quantize_next);
  } else {
    const ElementPointer<In> input = arguments.input;
    Out* const output = arguments.output;
    const std::size_t rows = arguments.rows;
    const std::size_t stride = arguments.stride;
    for (std::size_t row = 0; row < rows; ++row) {
      std::size_t at = row * stride + column;
      ((quantize.template operator()<store>(LoadFloats(d, input + at), output + at), at += lanes),
       ...);
    }
    return (quantize.SeenNan() || ...);
  }
}

// Works in tiles as wide as possible, then of one vector, then of one column.
template <StepFormula step, Store store, typename In, typename Out>
HWY_INLINE bool ColumnRows(const ColumnsArguments<In, Out>& arguments) {
  const hn::CappedTag<float, kMaxLanes> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t columns = arguments.columns;
  const std::size_t in_vectors = arguments.rules->divides_by_inverse ? columns : 0;
  std::size_t column = 0;
  bool seen_nan = false;
  for (; column + kTileVectors * lanes <= in_vectors; column += kTileVectors * lanes) {
    seen_nan |= ColumnTile<kTileVectors, step, store>(d, arguments, column);
  }
  for (; column + lanes <= in_vectors; column += lanes) {
    seen_nan |= ColumnTile<1, step, store>(d, arguments, column);
  }
  for (; column < columns; ++column) {
    seen_nan |= ColumnTile<1, step, Store::kCached>(single, arguments, column);
  }
  return seen_nan;
}

template <StepFormula step, Store store, typename In, typename Out>
bool Columns(const ColumnsArguments<In, Out>& arguments) {
  const std::size_t tile_columns = kTileVectors * hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  std::size_t rows_together = arguments.stride <= kNarrowStride ? kNarrowRows : 1;
  if (arguments.stride <= tile_columns) {
    // A tile has whole rows, which lie in the order of memory.
    rows_together = arguments.rows;
  }
  ColumnsArguments<In, Out> part = arguments;
  bool seen_nan = false;
  for (std::size_t left = arguments.rows; left > 0; left -= part.rows) {
    part.rows = std::min(rows_together, left);
    seen_nan |= ColumnRows<step, store>(part);
    part.input = part.input + part.rows * part.stride;
    part.output += part.rows * part.stride;
  }
  return seen_nan;
}

// From here on, what was decided at run time becomes a template argument.

template <StepFormula step, typename In, typename Out>
bool WithStore(const RunArguments<In, Out>& arguments) {
  if constexpr (IsFloat<Out>) {
    if (arguments.store == Store::kStreaming && arguments.count >= kStreamedRun) {
      Run<step, Store::kStreaming>(arguments);
      hwy::FlushStream();
      return false;
    }
  }
  return Run<step, Store::kCached>(arguments);
}

template <StepFormula step, typename In, typename Out>
bool WithStore(const ColumnsArguments<In, Out>& arguments) {
  if constexpr (IsFloat<Out>) {
    const std::size_t lanes = hn::Lanes(hn::CappedTag<float, kMaxLanes>());
    const bool rows_aligned =
        ElementsToAlignment(arguments.output, lanes) == 0 && arguments.stride % lanes == 0;
    if (arguments.store == Store::kStreaming && rows_aligned) {
      Columns<step, Store::kStreaming>(arguments);
      hwy::FlushStream();
      return false;
    }
  }
  return Columns<step, Store::kCached>(arguments);
}

// Arguments are those of a run or of columns.
template <class Arguments>
constexpr bool kGivesFloats =
    IsFloat<std::remove_pointer_t<decltype(std::declval<Arguments>().output)>>;

// Whether subnormal numbers matter to a formula. The values of some are products, which
// do not become subnormal, and codes have no sign of zero.
template <StepFormula step, class Arguments>
constexpr bool kHasSubnormals = KeepsZeroSign(step)
                                    ? kGivesFloats<Arguments>
                                    : ValueOf(step) != ValueFormula::kFromZero && !IsOfCodes(step);

template <StepFormula step, class Arguments>
bool WithMode(const Arguments& arguments) {
  if constexpr (kHasSubnormals<step, Arguments>) {
    if (arguments.rules->flushes_subnormals) {
      const ScopedFlushSubnormals flush;
      return WithStore<step>(arguments);
    }
  }
  return WithStore<step>(arguments);
}

// Compiles a formula for the types of output that are computed with it.
template <StepFormula step, class Arguments>
bool WithOutput(const Arguments& arguments) {
  if constexpr (kGivesFloats<Arguments> ? !IsOfCodes(step) : !IsOfFloats(step)) {
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
