#include "core/kernels/gradient_kernels.h"

#include <bit>
#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/gradient_kernels.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Rows are looked at in groups. Where all inputs of a group lie inside the
// range, as mostly, the sums are left alone: they start at +0, so that adding
// the zeros of inside elements would not change a bit of them.
constexpr std::size_t kGroupRows = 4;
constexpr std::size_t kGroupElements = kGroupRows * kPartialSums;
static_assert(kGroupElements == 64, "a bit of a uint64_t each");

// Up to this many elements of a group that lie outside the range are added one by
// one, which is sooner done than whole vectors.
constexpr int kFewOutside = 4;

// No vector is wider than the partial sums.
using FloatTag = hn::CappedTag<float, kPartialSums>;
using DoubleTag = hn::CappedTag<double, kPartialSums / 2>;
using SingleFloatTag = hn::CappedTag<float, 1>;
using SingleDoubleTag = hn::CappedTag<double, 1>;

// Writes one vector of input gradients and returns where inputs lie inside.
template <Store store, class D, class V = hn::Vec<D>>
HWY_INLINE hn::Mask<D> StoreInputGradients(D d, ElementPointer gradients, ElementPointer inputs,
                                           V nudged_min, V nudged_max,
                                           float* HWY_RESTRICT input_gradients) {
  const V x = LoadElements(d, inputs);
  // Not Le(): gcc would load x a second time for it. NaN fails the other.
  const hn::Mask<D> inside = hn::AndNot(hn::Gt(x, nudged_max), hn::Ge(x, nudged_min));
  const V factor = hn::IfThenElseZero(inside, hn::Set(d, 1.0F));
  StoreVector<store>(d, hn::Mul(LoadElements(d, gradients), factor), input_gradients);
  return inside;
}

// Adds to sums, one for each lane of `d`, the gradients of `rows` vectors that
// lie `stride` elements apart.
template <class D, class V = hn::Vec<hn::Rebind<float, D>>>
HWY_INLINE void AddOutside(D d, ElementPointer gradients, ElementPointer inputs, std::size_t rows,
                           std::size_t stride, V nudged_min, V nudged_max,
                           double* HWY_RESTRICT min_sums, double* HWY_RESTRICT max_sums) {
  const hn::Rebind<float, D> df;
  auto min_sum = hn::LoadU(d, min_sums);
  auto max_sum = hn::LoadU(d, max_sums);
  for (std::size_t row = 0; row < rows; ++row) {
    const V x = LoadElements(df, inputs + row * stride);
    const V gradient = LoadElements(df, gradients + row * stride);
    const V below = hn::IfThenElseZero(hn::Lt(x, nudged_min), gradient);
    const V above = hn::IfThenElseZero(hn::Gt(x, nudged_max), gradient);
    min_sum = hn::Add(min_sum, hn::PromoteTo(d, below));
    max_sum = hn::Add(max_sum, hn::PromoteTo(d, above));
  }
  hn::StoreU(min_sum, d, min_sums);
  hn::StoreU(max_sum, d, max_sums);
}

// Which inputs of a group lie outside: bit i is that of element i.
HWY_INLINE std::uint64_t OutsideOfGroup(ElementPointer inputs, float nudged_min, float nudged_max) {
  const FloatTag d;
  const auto lower = hn::Set(d, nudged_min);
  const auto upper = hn::Set(d, nudged_max);
  std::uint64_t outside = 0;
  for (std::size_t i = 0; i < kGroupElements; i += hn::Lanes(d)) {
    const auto x = LoadElements(d, inputs + i);
    // Highway may write eight bytes.
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hn::Or(hn::Lt(x, lower), hn::Gt(x, upper)), bytes);
    std::uint16_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    outside |= std::uint64_t{bits} << i;
  }
  return outside;
}

// Adds the gradients of a group's elements of which `outside` has the bit.
HWY_INLINE void AddEach(ElementPointer gradients, ElementPointer inputs, std::uint64_t outside,
                        float nudged_min, double* HWY_RESTRICT min_sums,
                        double* HWY_RESTRICT max_sums) {
  for (; outside != 0; outside &= outside - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(outside));
    const SingleFloatTag d;
    const float gradient = hn::GetLane(LoadElements(d, gradients + i));
    const bool below = hn::GetLane(LoadElements(d, inputs + i)) < nudged_min;
    // No branch: which side it is cannot be foreseen.
    min_sums[i % kPartialSums] += below ? gradient : 0.0F;
    max_sums[i % kPartialSums] += below ? 0.0F : gradient;
  }
}

// Rows of kPartialSums elements, one after another.
template <std::size_t rows, Store store>
HWY_INLINE void RunRows(ElementPointer gradients, ElementPointer inputs, float nudged_min,
                        float nudged_max, float* HWY_RESTRICT input_gradients,
                        double* HWY_RESTRICT min_sums, double* HWY_RESTRICT max_sums) {
  const FloatTag d;
  const auto lower = hn::Set(d, nudged_min);
  const auto upper = hn::Set(d, nudged_max);
  auto inside = hn::FirstN(d, hn::Lanes(d));
  for (std::size_t i = 0; i < rows * kPartialSums; i += hn::Lanes(d)) {
    inside = hn::And(inside, StoreInputGradients<store>(d, gradients + i, inputs + i, lower, upper,
                                                        input_gradients + i));
  }
  if (hn::AllTrue(d, inside)) {
    return;
  }
  if constexpr (rows == kGroupRows) {
    const std::uint64_t outside = OutsideOfGroup(inputs, nudged_min, nudged_max);
    if (std::popcount(outside) <= kFewOutside) {
      AddEach(gradients, inputs, outside, nudged_min, min_sums, max_sums);
      return;
    }
  }
  const DoubleTag dd;
  const hn::Rebind<float, DoubleTag> df;
  for (std::size_t i = 0; i < kPartialSums; i += hn::Lanes(dd)) {
    AddOutside(dd, gradients + i, inputs + i, rows, kPartialSums, hn::Set(df, nudged_min),
               hn::Set(df, nudged_max), min_sums + i, max_sums + i);
  }
}

template <Store store>
void Run(ElementPointer gradients, ElementPointer inputs, std::size_t count, float nudged_min,
         float nudged_max, float* input_gradients, PartialSums& sums) {
  std::size_t i = 0;
  for (; count - i >= kGroupElements; i += kGroupElements) {
    RunRows<kGroupRows, store>(gradients + i, inputs + i, nudged_min, nudged_max,
                               input_gradients + i, sums.min, sums.max);
  }
  for (; count - i >= kPartialSums; i += kPartialSums) {
    RunRows<1, store>(gradients + i, inputs + i, nudged_min, nudged_max, input_gradients + i,
                      sums.min, sums.max);
  }
  const SingleFloatTag d;
  const auto lower = hn::Set(d, nudged_min);
  const auto upper = hn::Set(d, nudged_max);
  for (std::size_t sum = 0; i < count; ++i, ++sum) {
    StoreInputGradients<Store::kCached>(d, gradients + i, inputs + i, lower, upper,
                                        input_gradients + i);
    AddOutside(SingleDoubleTag(), gradients + i, inputs + i, 1, 0, lower, upper, sums.min + sum,
               sums.max + sum);
  }
}

bool IsAligned(const float* pointer) {
  return ElementsToAlignment(pointer, hn::Lanes(FloatTag())) == 0;
}

void GradientRun(ElementPointer gradients, ElementPointer inputs, std::size_t count,
                 float nudged_min, float nudged_max, Store store, float* input_gradients,
                 PartialSums& sums) {
  if (store == Store::kStreaming && IsAligned(input_gradients)) {
    Run<Store::kStreaming>(gradients, inputs, count, nudged_min, nudged_max, input_gradients, sums);
    hwy::FlushStream();
    return;
  }
  Run<Store::kCached>(gradients, inputs, count, nudged_min, nudged_max, input_gradients, sums);
}

// The ends of the nudged range of a vector of columns, of which `lane` is the
// first.
template <class D>
HWY_INLINE hn::Vec<D> NudgedMin(D d, const ColumnParameters& parameters, std::size_t lane) {
  return hn::Mul(hn::Load(d, parameters.lowest_step + lane), hn::Load(d, parameters.scale + lane));
}
template <class D>
HWY_INLINE hn::Vec<D> NudgedMax(D d, const ColumnParameters& parameters, std::size_t lane,
                                float levels) {
  const auto highest_step = hn::Add(hn::Load(d, parameters.lowest_step + lane), hn::Set(d, levels));
  return hn::Mul(highest_step, hn::Load(d, parameters.scale + lane));
}

// One vector's width of columns in `rows` rows, of which `lane` has the first
// parameters. D and DD are tags of floats and of doubles; a vector of floats is a
// whole number of those of doubles.
template <std::size_t rows, Store store, class D, class DD>
HWY_INLINE void ColumnStrip(D d, DD dd, ElementPointer gradients, ElementPointer inputs,
                            std::size_t stride, const ColumnParameters& parameters,
                            std::size_t lane, float levels, float* input_gradients,
                            double* min_sums, double* max_sums) {
  const auto nudged_min = NudgedMin(d, parameters, lane);
  const auto nudged_max = NudgedMax(d, parameters, lane, levels);
  auto inside = hn::FirstN(d, hn::Lanes(d));
  for (std::size_t at = 0; at < rows * stride; at += stride) {
    inside = hn::And(inside, StoreInputGradients<store>(d, gradients + at, inputs + at, nudged_min,
                                                        nudged_max, input_gradients + at));
  }
  if (hn::AllTrue(d, inside)) {
    return;
  }
  const hn::Rebind<float, DD> df;
  for (std::size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(dd)) {
    AddOutside(dd, gradients + i, inputs + i, rows, stride, NudgedMin(df, parameters, lane + i),
               NudgedMax(df, parameters, lane + i, levels), min_sums + i, max_sums + i);
  }
}

template <std::size_t rows, Store store>
HWY_INLINE void ColumnRows(ElementPointer gradients, ElementPointer inputs, std::size_t columns,
                           std::size_t stride, const ColumnParameters* parameters, float levels,
                           float* input_gradients, double* min_sums, double* max_sums) {
  const FloatTag d;
  const ColumnParameters* block = parameters;
  std::size_t column = 0;
  for (; column + kMaxLanes <= columns; column += kMaxLanes, ++block) {
    for (std::size_t lane = 0; lane < kMaxLanes; lane += hn::Lanes(d)) {
      const std::size_t at = column + lane;
      ColumnStrip<rows, store>(d, DoubleTag(), gradients + at, inputs + at, stride, *block, lane,
                               levels, input_gradients + at, min_sums + at, max_sums + at);
    }
  }
  for (std::size_t lane = 0; column < columns; ++column, ++lane) {
    ColumnStrip<rows, Store::kCached>(
        SingleFloatTag(), SingleDoubleTag(), gradients + column, inputs + column, stride, *block,
        lane, levels, input_gradients + column, min_sums + column, max_sums + column);
  }
}

template <Store store>
void Columns(ElementPointer gradients, ElementPointer inputs, std::size_t rows, std::size_t columns,
             std::size_t stride, const ColumnParameters* parameters, float levels,
             float* input_gradients, double* min_sums, double* max_sums) {
  std::size_t row = 0;
  if (stride <= kNarrowStride) {
    for (; row + kNarrowRows <= rows; row += kNarrowRows) {
      const std::size_t at = row * stride;
      ColumnRows<kNarrowRows, store>(gradients + at, inputs + at, columns, stride, parameters,
                                     levels, input_gradients + at, min_sums, max_sums);
    }
  }
  for (; row < rows; ++row) {
    const std::size_t at = row * stride;
    ColumnRows<1, store>(gradients + at, inputs + at, columns, stride, parameters, levels,
                         input_gradients + at, min_sums, max_sums);
  }
}

void GradientColumns(ElementPointer gradients, ElementPointer inputs, std::size_t rows,
                     std::size_t columns, std::size_t stride, const ColumnParameters* parameters,
                     float levels, Store store, float* input_gradients, double* min_sums,
                     double* max_sums) {
  const bool rows_aligned = IsAligned(input_gradients) && stride % hn::Lanes(FloatTag()) == 0;
  if (store == Store::kStreaming && rows_aligned) {
    Columns<Store::kStreaming>(gradients, inputs, rows, columns, stride, parameters, levels,
                               input_gradients, min_sums, max_sums);
    hwy::FlushStream();
    return;
  }
  Columns<Store::kCached>(gradients, inputs, rows, columns, stride, parameters, levels,
                          input_gradients, min_sums, max_sums);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(GradientRun);
HWY_EXPORT(GradientColumns);

void GradientRun(ElementPointer gradients, ElementPointer inputs, std::size_t count,
                 float nudged_min, float nudged_max, Store store, float* input_gradients,
                 PartialSums& sums) {
  HWY_DYNAMIC_DISPATCH(GradientRun)
  (gradients, inputs, count, nudged_min, nudged_max, store, input_gradients, sums);
}

RangeGradients AddPartialSums(const PartialSums& partial_sums) {
  PartialSums sums = partial_sums;
  for (std::size_t distance = kPartialSums / 2; distance > 0; distance /= 2) {
    for (std::size_t i = 0; i < distance; ++i) {
      sums.min[i] += sums.min[i + distance];
      sums.max[i] += sums.max[i + distance];
    }
  }
  return {.min = sums.min[0], .max = sums.max[0]};
}

void GradientColumns(ElementPointer gradients, ElementPointer inputs, std::size_t rows,
                     std::size_t columns, std::size_t stride, const ColumnParameters* parameters,
                     float levels, Store store, float* input_gradients, double* min_sums,
                     double* max_sums) {
  HWY_DYNAMIC_DISPATCH(GradientColumns)
  (gradients, inputs, rows, columns, stride, parameters, levels, store, input_gradients, min_sums,
   max_sums);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
