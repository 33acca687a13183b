// The forward kernels as templates over the types of input and output, the
// quotient, the tie rule and the kind of store. Included once for each SIMD
// target, by the translation unit of each pair of types.

#if defined(QUANTD_CORE_KERNELS_FAKE_QUANTIZE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_FAKE_QUANTIZE_INL_H_
#undef QUANTD_CORE_KERNELS_FAKE_QUANTIZE_INL_H_
#else
#define QUANTD_CORE_KERNELS_FAKE_QUANTIZE_INL_H_
#endif

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/kernels/fake_quantize.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/parameters.h"
#include "core/numerics.h"
#include "hwy/cache_control.h"
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

// Returns what the quotient divides or multiplies by.
template <Quotient quotient, class V>
HWY_INLINE V FactorOf(V scale, V inverse_scale) {
  return quotient == Quotient::kDivideByScale ? scale : inverse_scale;
}

template <Quotient quotient, class V>
HWY_INLINE V Steps(V shifted, V factor) {
  if constexpr (quotient == Quotient::kDivideByScale) {
    return hn::Div(shifted, factor);
  } else {
    return hn::Mul(shifted, factor);
  }
}

template <TieRule ties, class D, class V = hn::Vec<D>>
HWY_INLINE V RoundToStep(D d, V steps) {
  static_assert(ties == TieRule::kHalfUp);
  return hn::Floor(hn::Add(steps, hn::Set(d, 0.5F)));
}

// The formula of docs/design.md, in which q - quant_zero is q + lowest_step.
template <Quotient quotient, TieRule ties, class D, class V = hn::Vec<D>>
HWY_INLINE V FakeQuantizeVector(D d, V x, V nudged_min, V nudged_max, V scale, V factor,
                                V lowest_step) {
  const V shifted = hn::Sub(Clamp(d, x, nudged_min, nudged_max), nudged_min);
  const V steps = hn::Add(Steps<quotient>(shifted, factor), lowest_step);
  return hn::Mul(RoundToStep<ties>(d, steps), scale);
}

// Works element by element, for runs of less than two vectors.
template <Quotient quotient, TieRule ties, typename In, typename Out>
void ShortRun(const RunArguments<In, Out>& arguments) {
  const hn::CappedTag<float, 1> d;
  const ChannelParameters& channel = *arguments.channel;
  const auto nudged_min = hn::Set(d, channel.nudged_min);
  const auto nudged_max = hn::Set(d, channel.nudged_max);
  const auto scale = hn::Set(d, channel.scale);
  const auto factor = FactorOf<quotient>(scale, hn::Set(d, channel.inverse_scale));
  const auto lowest_step = hn::Set(d, channel.lowest_step);
  const ElementPointer<In> input = arguments.input;
  const std::size_t count = arguments.count;
  Out* const output = arguments.output;
  for (std::size_t i = 0; i < count; ++i) {
    StoreVector<Store::kCached>(
        d,
        FakeQuantizeVector<quotient, ties>(d, LoadElements(d, input + i), nudged_min, nudged_max,
                                           scale, factor, lowest_step),
        output + i);
  }
}

template <Quotient quotient, TieRule ties, Store store, typename In, typename Out>
void Run(const RunArguments<In, Out>& arguments) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t count = arguments.count;
  if (count < 2 * lanes) {
    ShortRun<quotient, ties>(arguments);
    return;
  }
  const ChannelParameters& channel = *arguments.channel;
  const V nudged_min = hn::Set(d, channel.nudged_min);
  const V nudged_max = hn::Set(d, channel.nudged_max);
  const V scale = hn::Set(d, channel.scale);
  const V factor = FactorOf<quotient>(scale, hn::Set(d, channel.inverse_scale));
  const V lowest_step = hn::Set(d, channel.lowest_step);
  const ElementPointer<In> input = arguments.input;
  Out* const output = arguments.output;

  // The first and the last vector overlap their neighbours instead of being
  // shorter. They are loaded first and stored last, because input and output
  // may be the same.
  const V first = LoadElements(d, input);
  const V last = LoadElements(d, input + (count - lanes));
  std::size_t i = ElementsToAlignment(output, lanes);
  for (; i + lanes <= count; i += lanes) {
    StoreVector<store>(d,
                       FakeQuantizeVector<quotient, ties>(d, LoadElements(d, input + i), nudged_min,
                                                          nudged_max, scale, factor, lowest_step),
                       output + i);
  }
  StoreVector<Store::kCached>(d,
                              FakeQuantizeVector<quotient, ties>(d, first, nudged_min, nudged_max,
                                                                 scale, factor, lowest_step),
                              output);
  StoreVector<Store::kCached>(d,
                              FakeQuantizeVector<quotient, ties>(d, last, nudged_min, nudged_max,
                                                                 scale, factor, lowest_step),
                              output + count - lanes);
}

// Calls function(quantize), where quantize(from, to) works on one vector of the
// columns whose parameters begin at `lane`. The parameters stay in registers
// however often it is called.
template <Quotient quotient, TieRule ties, Store store, class D, class Function>
HWY_INLINE void WithParameters(D d, const ColumnParameters& parameters, std::size_t lane,
                               float levels, Function function) {
  using V = hn::Vec<D>;
  const V scale = hn::Load(d, parameters.scale + lane);
  const V factor = FactorOf<quotient>(scale, hn::Load(d, parameters.inverse_scale + lane));
  const V lowest_step = hn::Load(d, parameters.lowest_step + lane);
  const V nudged_min = hn::Mul(lowest_step, scale);
  const V nudged_max = hn::Mul(hn::Add(lowest_step, hn::Set(d, levels)), scale);
  function([&](auto from, auto* to) HWY_ATTR {
    StoreVector<store>(d,
                       FakeQuantizeVector<quotient, ties>(d, LoadElements(d, from), nudged_min,
                                                          nudged_max, scale, factor, lowest_step),
                       to);
  });
}

// The width of a tile in vectors. The parameters of all of them, five each, must
// fit into the registers.
constexpr std::size_t kTileVectors = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 2 : 4;

// Works on `vectors` vectors side by side in every row, the first of which begins
// at `column`. `quantize` are the functions for those that have theirs already.
template <std::size_t vectors, Quotient quotient, TieRule ties, Store store, class D, typename In,
          typename Out, class... Quantize>
HWY_INLINE void ColumnTile(D d, const ColumnsArguments<In, Out>& arguments, std::size_t column,
                           const Quantize&... quantize) {
  const std::size_t lanes = hn::Lanes(d);
  if constexpr (sizeof...(quantize) < vectors) {
    const std::size_t next = column + sizeof...(quantize) * lanes;
    WithParameters<quotient, ties, store>(d, arguments.parameters[next / kMaxLanes],
                                          next % kMaxLanes, arguments.levels,
                                          [&](const auto& quantize_next) HWY_ATTR {
                                            ColumnTile<vectors, quotient, ties, store>(
                                                d, arguments, column, quantize..., quantize_next);
                                          });
  } else {
    const ElementPointer<In> input = arguments.input;
    Out* const output = arguments.output;
    const std::size_t rows = arguments.rows;
    const std::size_t stride = arguments.stride;
    for (std::size_t row = 0; row < rows; ++row) {
      std::size_t at = row * stride + column;
      ((quantize(input + at, output + at), at += lanes), ...);
    }
  }
}

// Works in tiles as wide as possible, then of one vector, then of one column.
template <Quotient quotient, TieRule ties, Store store, typename In, typename Out>
HWY_INLINE void ColumnRows(const ColumnsArguments<In, Out>& arguments) {
  const hn::CappedTag<float, kMaxLanes> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t columns = arguments.columns;
  std::size_t column = 0;
  for (; column + kTileVectors * lanes <= columns; column += kTileVectors * lanes) {
    ColumnTile<kTileVectors, quotient, ties, store>(d, arguments, column);
  }
  for (; column + lanes <= columns; column += lanes) {
    ColumnTile<1, quotient, ties, store>(d, arguments, column);
  }
  for (; column < columns; ++column) {
    ColumnTile<1, quotient, ties, Store::kCached>(single, arguments, column);
  }
}

template <Quotient quotient, TieRule ties, Store store, typename In, typename Out>
void Columns(const ColumnsArguments<In, Out>& arguments) {
  const std::size_t tile_columns = kTileVectors * hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  std::size_t rows_together = arguments.stride <= kNarrowStride ? kNarrowRows : 1;
  if (arguments.stride <= tile_columns) {
    // A tile has whole rows, which lie in the order of memory.
    rows_together = arguments.rows;
  }
  ColumnsArguments<In, Out> part = arguments;
  for (std::size_t left = arguments.rows; left > 0; left -= part.rows) {
    part.rows = std::min(rows_together, left);
    ColumnRows<quotient, ties, store>(part);
    part.input = part.input + part.rows * part.stride;
    part.output += part.rows * part.stride;
  }
}

// From here on, what was decided at run time becomes a template argument.

template <Quotient quotient, TieRule ties, typename In, typename Out>
void RunWithStore(const RunArguments<In, Out>& arguments) {
  if (arguments.store == Store::kStreaming) {
    Run<quotient, ties, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  Run<quotient, ties, Store::kCached>(arguments);
}

template <Quotient quotient, TieRule ties, typename In, typename Out>
void ColumnsWithStore(const ColumnsArguments<In, Out>& arguments) {
  const std::size_t lanes = hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  const bool rows_aligned =
      ElementsToAlignment(arguments.output, lanes) == 0 && arguments.stride % lanes == 0;
  if (arguments.store == Store::kStreaming && rows_aligned) {
    Columns<quotient, ties, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  Columns<quotient, ties, Store::kCached>(arguments);
}

template <Quotient quotient, typename In, typename Out>
void RunWithTies(const RunArguments<In, Out>& arguments) {
  switch (arguments.ties) {
    case TieRule::kHalfUp:
      return RunWithStore<quotient, TieRule::kHalfUp>(arguments);
  }
}

template <Quotient quotient, typename In, typename Out>
void ColumnsWithTies(const ColumnsArguments<In, Out>& arguments) {
  switch (arguments.ties) {
    case TieRule::kHalfUp:
      return ColumnsWithStore<quotient, TieRule::kHalfUp>(arguments);
  }
}

template <typename In, typename Out>
void RunWithQuotient(const RunArguments<In, Out>& arguments) {
  assert(arguments.count == 0 ||
         (arguments.input.bytes() != nullptr && arguments.output != nullptr));
  switch (arguments.quotient) {
    case Quotient::kDivideByScale:
      return RunWithTies<Quotient::kDivideByScale>(arguments);
    case Quotient::kMultiplyByInverseScale:
      return RunWithTies<Quotient::kMultiplyByInverseScale>(arguments);
  }
}

template <typename In, typename Out>
void ColumnsWithQuotient(const ColumnsArguments<In, Out>& arguments) {
  assert(arguments.rows <= 1 || arguments.columns <= arguments.stride);
  switch (arguments.quotient) {
    case Quotient::kDivideByScale:
      return ColumnsWithTies<Quotient::kDivideByScale>(arguments);
    case Quotient::kMultiplyByInverseScale:
      return ColumnsWithTies<Quotient::kMultiplyByInverseScale>(arguments);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_FAKE_QUANTIZE_INL_H_
