#include "core/kernels/fake_quantize_kernels.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/fake_quantize_kernels.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// x within [lower, upper]; NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Clamp(D /*d*/, V x, V lower, V upper) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
  // MINPS and MAXPS return their second operand where one is NaN.
  return hn::Max(lower, hn::Min(upper, x));
#else
  const V from_above = hn::IfThenElse(hn::Gt(x, upper), upper, x);
  return hn::IfThenElse(hn::Lt(from_above, lower), lower, from_above);
#endif
}

// The contract's formula, in which q - quant_zero is q + lowest_step. `factor`
// is the scale or its inverse, as `rounding` says.
template <Rounding rounding, class D, class V = hn::Vec<D>>
HWY_INLINE V FakeQuantizeVector(D d, V x, V nudged_min, V nudged_max, V scale, V factor,
                                V lowest_step) {
  const V shifted = hn::Sub(Clamp(d, x, nudged_min, nudged_max), nudged_min);
  V q;
  if constexpr (rounding == Rounding::kDivideByScale) {
    q = hn::Div(shifted, factor);
  } else {
    q = hn::Mul(shifted, factor);
  }
  const V half = hn::Set(d, 0.5F);
  return hn::Mul(hn::Floor(hn::Add(hn::Add(q, lowest_step), half)), scale);
}

// Runs of less than two vectors, and what no vector instruction need speed up.
template <Rounding rounding>
void ShortRun(ElementPointer input, std::size_t count, const ChannelParameters& channel,
              float* output) {
  const hn::CappedTag<float, 1> d;
  const auto nudged_min = hn::Set(d, channel.nudged_min);
  const auto nudged_max = hn::Set(d, channel.nudged_max);
  const auto scale = hn::Set(d, channel.scale);
  const auto factor =
      rounding == Rounding::kDivideByScale ? scale : hn::Set(d, channel.inverse_scale);
  const auto lowest_step = hn::Set(d, channel.lowest_step);
  for (std::size_t i = 0; i < count; ++i) {
    hn::StoreU(FakeQuantizeVector<rounding>(d, LoadElements(d, input + i), nudged_min, nudged_max,
                                            scale, factor, lowest_step),
               d, output + i);
  }
}

template <Rounding rounding, Store store>
void Run(ElementPointer input, std::size_t count, const ChannelParameters& channel, float* output) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  if (count < 2 * lanes) {
    ShortRun<rounding>(input, count, channel, output);
    return;
  }
  const V nudged_min = hn::Set(d, channel.nudged_min);
  const V nudged_max = hn::Set(d, channel.nudged_max);
  const V scale = hn::Set(d, channel.scale);
  const V factor = rounding == Rounding::kDivideByScale ? scale : hn::Set(d, channel.inverse_scale);
  const V lowest_step = hn::Set(d, channel.lowest_step);

  // The first and the last vector overlap their neighbours instead of being
  // shorter. They are loaded first and stored last, because input and output
  // may be the same.
  const V first = LoadElements(d, input);
  const V last = LoadElements(d, input + (count - lanes));
  std::size_t i = ElementsToAlignment(output, lanes);
  for (; i + lanes <= count; i += lanes) {
    StoreVector<store>(d,
                       FakeQuantizeVector<rounding>(d, LoadElements(d, input + i), nudged_min,
                                                    nudged_max, scale, factor, lowest_step),
                       output + i);
  }
  hn::StoreU(
      FakeQuantizeVector<rounding>(d, first, nudged_min, nudged_max, scale, factor, lowest_step), d,
      output);
  hn::StoreU(
      FakeQuantizeVector<rounding>(d, last, nudged_min, nudged_max, scale, factor, lowest_step), d,
      output + count - lanes);
}

void FakeQuantizeRun(ElementPointer input, std::size_t count, const ChannelParameters& channel,
                     Rounding rounding, Store store, float* output) {
  const bool divide = rounding == Rounding::kDivideByScale;
  if (store == Store::kStreaming) {
    divide
        ? Run<Rounding::kDivideByScale, Store::kStreaming>(input, count, channel, output)
        : Run<Rounding::kMultiplyByInverseScale, Store::kStreaming>(input, count, channel, output);
    hwy::FlushStream();
    return;
  }
  divide ? Run<Rounding::kDivideByScale, Store::kCached>(input, count, channel, output)
         : Run<Rounding::kMultiplyByInverseScale, Store::kCached>(input, count, channel, output);
}

// Calls function(quantize), where quantize(from, to) works on a vector of the
// columns whose parameters begin with `lane`. They stay in registers, however
// often it is called.
template <Store store, class D, class Function>
HWY_INLINE void WithParameters(D d, const ColumnParameters& parameters, std::size_t lane,
                               float levels, Function function) {
  using V = hn::Vec<D>;
  const V scale = hn::Load(d, parameters.scale + lane);
  const V inverse_scale = hn::Load(d, parameters.inverse_scale + lane);
  const V lowest_step = hn::Load(d, parameters.lowest_step + lane);
  const V nudged_min = hn::Mul(lowest_step, scale);
  const V nudged_max = hn::Mul(hn::Add(lowest_step, hn::Set(d, levels)), scale);
  function([&](ElementPointer from, float* to) HWY_ATTR {
    StoreVector<store>(
        d,
        FakeQuantizeVector<Rounding::kMultiplyByInverseScale>(
            d, LoadElements(d, from), nudged_min, nudged_max, scale, inverse_scale, lowest_step),
        to);
  });
}

// How many vectors wide a tile is: all their parameters, five each, must fit into
// the registers.
constexpr std::size_t kTileVectors = HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3 ? 2 : 4;

// `rows` rows of `vectors` vectors side by side, the first of which begins with
// `column`. `quantize` are the functions for the first of them.
template <std::size_t vectors, Store store, class D, class... Quantize>
HWY_INLINE void ColumnTile(D d, ElementPointer input, std::size_t rows, std::size_t column,
                           std::size_t stride, const ColumnParameters* parameters, float levels,
                           float* output, const Quantize&... quantize) {
  const std::size_t lanes = hn::Lanes(d);
  if constexpr (sizeof...(quantize) < vectors) {
    const std::size_t next = column + sizeof...(quantize) * lanes;
    WithParameters<store>(d, parameters[next / kMaxLanes], next % kMaxLanes, levels,
                          [&](const auto& quantize_next) HWY_ATTR {
                            ColumnTile<vectors, store>(d, input, rows, column, stride, parameters,
                                                       levels, output, quantize..., quantize_next);
                          });
  } else {
    for (std::size_t row = 0; row < rows; ++row) {
      std::size_t at = row * stride + column;
      ((quantize(input + at, output + at), at += lanes), ...);
    }
  }
}

// In tiles as wide as can be, then of one vector, then of one column.
template <Store store>
HWY_INLINE void ColumnRows(ElementPointer input, std::size_t rows, std::size_t columns,
                           std::size_t stride, const ColumnParameters* parameters, float levels,
                           float* output) {
  const hn::CappedTag<float, kMaxLanes> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t column = 0;
  for (; column + kTileVectors * lanes <= columns; column += kTileVectors * lanes) {
    ColumnTile<kTileVectors, store>(d, input, rows, column, stride, parameters, levels, output);
  }
  for (; column + lanes <= columns; column += lanes) {
    ColumnTile<1, store>(d, input, rows, column, stride, parameters, levels, output);
  }
  for (; column < columns; ++column) {
    ColumnTile<1, Store::kCached>(single, input, rows, column, stride, parameters, levels, output);
  }
}

template <Store store>
void Columns(ElementPointer input, std::size_t rows, std::size_t columns, std::size_t stride,
             const ColumnParameters* parameters, float levels, float* output) {
  const std::size_t tile_columns = kTileVectors * hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  std::size_t rows_together = stride <= kNarrowStride ? kNarrowRows : 1;
  if (stride <= tile_columns) {
    // A tile has whole rows: all of them lie in the order of memory.
    rows_together = rows;
  }
  for (std::size_t row = 0; row < rows; row += rows_together) {
    ColumnRows<store>(input + row * stride, std::min(rows_together, rows - row), columns, stride,
                      parameters, levels, output + row * stride);
  }
}

void FakeQuantizeColumns(ElementPointer input, std::size_t rows, std::size_t columns,
                         std::size_t stride, const ColumnParameters* parameters, float levels,
                         Store store, float* output) {
  const std::size_t lanes = hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  const bool rows_aligned = ElementsToAlignment(output, lanes) == 0 && stride % lanes == 0;
  if (store == Store::kStreaming && rows_aligned) {
    Columns<Store::kStreaming>(input, rows, columns, stride, parameters, levels, output);
    hwy::FlushStream();
    return;
  }
  Columns<Store::kCached>(input, rows, columns, stride, parameters, levels, output);
}

std::int64_t DispatchedTarget() { return HWY_TARGET; }

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(FakeQuantizeRun);
HWY_EXPORT(FakeQuantizeColumns);
HWY_EXPORT(DispatchedTarget);

void FakeQuantizeRun(ElementPointer input, std::size_t count, const ChannelParameters& channel,
                     Rounding rounding, Store store, float* output) {
  HWY_DYNAMIC_DISPATCH(FakeQuantizeRun)(input, count, channel, rounding, store, output);
}

void FakeQuantizeColumns(ElementPointer input, std::size_t rows, std::size_t columns,
                         std::size_t stride, const ColumnParameters* parameters, float levels,
                         Store store, float* output) {
  HWY_DYNAMIC_DISPATCH(FakeQuantizeColumns)
  (input, rows, columns, stride, parameters, levels, store, output);
}

std::int64_t DispatchedTarget() { return HWY_DYNAMIC_DISPATCH(DispatchedTarget)(); }

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
