#include "core/kernels/dequantize.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/dequantize.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/formulas-inl.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/vector_parameters-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

// Computes the values of vectors of codes. A formula of steps stands for its
// formula of values.
template <StepFormula step, class D>
class Dequantization {
 public:
  using V = hn::Vec<D>;

  HWY_INLINE Dequantization(const VectorParameters<V>& parameters, const Rules& rules)
      : parameters_(parameters) {
    const D d;
    origin_ = hn::Sub(parameters.quant_min, hn::Set(d, static_cast<float>(rules.code_offset)));
    if constexpr (ValueOf(step) == ValueFormula::kFromZero) {
      origin_ = hn::Sub(origin_, parameters.lowest_step);
    }
  }

  template <Store store, typename Code>
  HWY_INLINE void operator()(ElementPointer<Code> from, float* to) const {
    const D d;
    const hn::RebindToSigned<D> di;
    const hn::Rebind<Code, D> narrow;
    const V codes = hn::ConvertTo(d, hn::PromoteTo(di, LoadElements(narrow, from)));
    StoreVector<store>(d, Value<step>(d, hn::Sub(codes, origin_), parameters_), to);
  }

 private:
  VectorParameters<V> parameters_;
  // The code of 0 steps.
  V origin_;
};

template <StepFormula step, Store store, typename Code>
void ValuesOf(const RunArguments<Code, float>& arguments) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  const Rules& rules = *arguments.rules;
  const Dequantization<step, decltype(d)> dequantize(Broadcast(d, *arguments.channel, rules),
                                                     rules);
  const Dequantization<step, decltype(single)> dequantize_one(
      Broadcast(single, *arguments.channel, rules), rules);
  const ElementPointer<Code> input = arguments.input;
  float* const output = arguments.output;
  const std::size_t count = arguments.count;
  const std::size_t head = std::min(count, ElementsToAlignment(output, lanes));
  std::size_t i = 0;
  for (; i < head; ++i) {
    dequantize_one.template operator()<Store::kCached>(input + i, output + i);
  }
  for (; i + lanes <= count; i += lanes) {
    dequantize.template operator()<store>(input + i, output + i);
  }
  for (; i < count; ++i) {
    dequantize_one.template operator()<Store::kCached>(input + i, output + i);
  }
}

template <std::size_t vectors, StepFormula step, Store store, class D, typename Code,
          class... Dequantize>
HWY_INLINE void ValuesOfTile(D d, const ColumnsArguments<Code, float>& arguments,
                             std::size_t column, Dequantize... dequantize) {
  const std::size_t lanes = hn::Lanes(d);
  if constexpr (sizeof...(dequantize) < vectors) {
    const std::size_t next = column + sizeof...(dequantize) * lanes;
    const Rules& rules = *arguments.rules;
    const Dequantization<step, D> dequantize_next(
        LoadParameters(d, arguments.parameters[next / kMaxLanes], next % kMaxLanes, rules), rules);
    ValuesOfTile<vectors, step, store>(d, arguments, column, dequantize..., dequantize_next);
  } else {
    const ElementPointer<Code> input = arguments.input;
    float* const output = arguments.output;
    const std::size_t rows = arguments.rows;
    const std::size_t stride = arguments.stride;
    for (std::size_t row = 0; row < rows; ++row) {
      std::size_t at = row * stride + column;
      ((dequantize.template operator()<store>(input + at, output + at), at += lanes), ...);
    }
  }
}

template <StepFormula step, Store store, typename Code>
HWY_INLINE void ValuesOfRows(const ColumnsArguments<Code, float>& arguments) {
  const hn::CappedTag<float, kMaxLanes> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t column = 0;
  for (; column + kTileVectors * lanes <= arguments.columns; column += kTileVectors * lanes) {
    ValuesOfTile<kTileVectors, step, store>(d, arguments, column);
  }
  for (; column + lanes <= arguments.columns; column += lanes) {
    ValuesOfTile<1, step, store>(d, arguments, column);
  }
  for (; column < arguments.columns; ++column) {
    ValuesOfTile<1, step, Store::kCached>(single, arguments, column);
  }
}

template <StepFormula step, Store store, typename Code>
void ValuesOf(const ColumnsArguments<Code, float>& arguments) {
  const std::size_t tile_columns = kTileVectors * hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  std::size_t rows_together = arguments.stride <= kNarrowStride ? kNarrowRows : 1;
  if (arguments.stride <= tile_columns) {
    // A tile has whole rows, which lie in the order of memory.
    rows_together = arguments.rows;
  }
  ColumnsArguments<Code, float> part = arguments;
  for (std::size_t left = arguments.rows; left > 0; left -= part.rows) {
    part.rows = std::min(rows_together, left);
    ValuesOfRows<step, store>(part);
    part.input = part.input + part.rows * part.stride;
    part.output += part.rows * part.stride;
  }
}

template <typename Code>
bool CanStream(const RunArguments<Code, float>& arguments) {
  return arguments.store == Store::kStreaming && arguments.count >= kStreamedRun;
}
template <typename Code>
bool CanStream(const ColumnsArguments<Code, float>& arguments) {
  const std::size_t lanes = hn::Lanes(hn::CappedTag<float, kMaxLanes>());
  return arguments.store == Store::kStreaming &&
         ElementsToAlignment(arguments.output, lanes) == 0 && arguments.stride % lanes == 0;
}

// Arguments are those of a run or of columns.
template <StepFormula step, class Arguments>
void DequantizeWithStore(const Arguments& arguments) {
  if (CanStream(arguments)) {
    ValuesOf<step, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  ValuesOf<step, Store::kCached>(arguments);
}

template <StepFormula step, class Arguments>
void DequantizeFromLowest(const Arguments& arguments) {
  if (arguments.rules->flushes_subnormals) {
    const ScopedFlushSubnormals flush;
    return DequantizeWithStore<step>(arguments);
  }
  return DequantizeWithStore<step>(arguments);
}

template <class Arguments>
void DequantizeWithFormula(const Arguments& arguments) {
  switch (ValueOf(arguments.rules->step)) {
    case ValueFormula::kFromZero:
      return DequantizeWithStore<StepFormula::kMultiply>(arguments);
    case ValueFormula::kFromLowest:
      return DequantizeFromLowest<StepFormula::kFromLowest>(arguments);
    case ValueFormula::kFromLowestFused:
      return DequantizeFromLowest<StepFormula::kFromLowestFused>(arguments);
    case ValueFormula::kFromLowerEnd:
      return DequantizeFromLowest<StepFormula::kFromLowerEnd>(arguments);
  }
}

void RunOfInt8(const RunArguments<std::int8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void RunOfUint8(const RunArguments<std::uint8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void RunOfInt16(const RunArguments<std::int16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void RunOfUint16(const RunArguments<std::uint16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfInt8(const ColumnsArguments<std::int8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfUint8(const ColumnsArguments<std::uint8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfInt16(const ColumnsArguments<std::int16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfUint16(const ColumnsArguments<std::uint16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunOfInt8);
HWY_EXPORT(RunOfUint8);
HWY_EXPORT(RunOfInt16);
HWY_EXPORT(RunOfUint16);
HWY_EXPORT(ColumnsOfInt8);
HWY_EXPORT(ColumnsOfUint8);
HWY_EXPORT(ColumnsOfInt16);
HWY_EXPORT(ColumnsOfUint16);

void DequantizeRun(const RunArguments<std::int8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfInt8)(arguments);
}
void DequantizeRun(const RunArguments<std::uint8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfUint8)(arguments);
}
void DequantizeRun(const RunArguments<std::int16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfInt16)(arguments);
}
void DequantizeRun(const RunArguments<std::uint16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfUint16)(arguments);
}

void DequantizeColumns(const ColumnsArguments<std::int8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfInt8)(arguments);
}
void DequantizeColumns(const ColumnsArguments<std::uint8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfUint8)(arguments);
}
void DequantizeColumns(const ColumnsArguments<std::int16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfInt16)(arguments);
}
void DequantizeColumns(const ColumnsArguments<std::uint16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfUint16)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
