// The backward kernels as templates over the types of input and output, the mask
// and the kind of store. Included once for each SIMD target, by the translation
// unit of each pair of types.

#if defined(QUANTD_CORE_KERNELS_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_GRADIENT_INL_H_
#undef QUANTD_CORE_KERNELS_GRADIENT_INL_H_
#else
#define QUANTD_CORE_KERNELS_GRADIENT_INL_H_
#endif

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/element_pointer.h"
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/gradient.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/parameters.h"
#include "core/kernels/partial_sums.h"
#include "core/numerics.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// A run is taken in groups of rows of kPartialSums elements. If no element of a group
// has a share in the sums, as in most groups, the sums are left alone: they start at
// +0, so adding zeros would not change a bit of them. Elements outside the range have
// a share, and so has every gradient that is infinite or NaN: its product with 0 is NaN.
constexpr std::size_t kGroupRows = 4;
constexpr std::size_t kGroupElements = kGroupRows * kPartialSums;
static_assert(kGroupElements == 64, "each element of a group has a bit of a uint64_t");

// Up to this many elements of a group are added one by one, which is faster than
// adding whole vectors.
constexpr int kFewShares = 4;

// No vector is wider than the partial sums.
using FloatTag = hn::CappedTag<float, kPartialSums>;
using DoubleTag = hn::CappedTag<double, kPartialSums / 2>;
using SingleFloatTag = hn::CappedTag<float, 1>;
using SingleDoubleTag = hn::CappedTag<double, 1>;

// Elements at the same place in each of the tensors.
template <typename In, typename Out>
struct GradientElements {
  GradientElements operator+(std::size_t elements) const {
    return {gradients + elements, inputs + elements, input_gradients + elements};
  }

  ElementPointer<In> gradients;
  ElementPointer<In> inputs;
  Out* HWY_RESTRICT input_gradients;
};

// Sums side by side: of the gradients below the range, and of those above it.
struct GradientSums {
  GradientSums operator+(std::size_t sums) const { return {below + sums, above + sums}; }

  double* HWY_RESTRICT below;
  double* HWY_RESTRICT above;
};

// Returns the gradients with those outside suppressed.
template <GradientMask mask, class D, class V = hn::Vec<D>>
HWY_INLINE V Masked(D d, V gradient, hn::Mask<D> inside) {
  static_assert(mask == GradientMask::kProduct);
  return hn::Mul(gradient, hn::IfThenElseZero(inside, hn::Set(d, UnfoldedOne())));
}

// Writes a vector of input gradients, and returns what it took from the gradients: 0
// for the elements without a share in the sums, and NaN or another number for those
// with one.
template <GradientMask mask, Store store, class D, typename In, typename Out, class V = hn::Vec<D>>
HWY_INLINE V StoreInputGradients(D d, GradientElements<In, Out> elements, V nudged_min,
                                 V nudged_max) {
  const V x = LoadElements(d, elements.inputs);
  // Not Le(), for which gcc would load x a second time. NaN fails the other test.
  const hn::Mask<D> inside = hn::AndNot(hn::Gt(x, nudged_max), hn::Ge(x, nudged_min));
  const V gradient = LoadElements(d, elements.gradients);
  const V input_gradient = Masked<mask>(d, gradient, inside);
  StoreVector<store>(d, input_gradient, elements.input_gradients);
  return hn::Sub(gradient, input_gradient);
}

// Returns a gradient's share in a sum: the gradient itself if it belongs to the sum,
// and its product with 0 otherwise.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Share(D d, V gradient, hn::Mask<D> belongs) {
  return hn::Mul(gradient, hn::IfThenElseZero(belongs, hn::Set(d, UnfoldedOne())));
}

// Adds the shares of `rows` vectors, which lie `stride` elements apart, to one sum for
// each lane of `d`.
template <class D, typename In, typename Out, class V = hn::Vec<hn::Rebind<float, D>>>
HWY_INLINE void AddShares(D d, GradientElements<In, Out> elements, std::size_t rows,
                          std::size_t stride, V nudged_min, V nudged_max, GradientSums sums) {
  const hn::Rebind<float, D> df;
  auto below = hn::LoadU(d, sums.below);
  auto above = hn::LoadU(d, sums.above);
  for (std::size_t row = 0; row < rows; ++row) {
    const V x = LoadElements(df, elements.inputs + row * stride);
    const V gradient = LoadElements(df, elements.gradients + row * stride);
    below = hn::Add(below, hn::PromoteTo(d, Share(df, gradient, hn::Lt(x, nudged_min))));
    above = hn::Add(above, hn::PromoteTo(d, Share(df, gradient, hn::Gt(x, nudged_max))));
  }
  hn::StoreU(below, d, sums.below);
  hn::StoreU(above, d, sums.above);
}

// Returns which elements of a group have a share in the sums: bit i stands for
// element i.
template <typename In, typename Out>
HWY_INLINE std::uint64_t SharesOfGroup(GradientElements<In, Out> elements, float nudged_min,
                                       float nudged_max) {
  const FloatTag d;
  const auto lower = hn::Set(d, nudged_min);
  const auto upper = hn::Set(d, nudged_max);
  const auto infinity = hn::Inf(d);
  std::uint64_t shares = 0;
  for (std::size_t i = 0; i < kGroupElements; i += hn::Lanes(d)) {
    const auto x = LoadElements(d, elements.inputs + i);
    const auto finite = hn::Lt(hn::Abs(LoadElements(d, elements.gradients + i)), infinity);
    // Highway may write eight bytes.
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hn::Or(hn::Or(hn::Lt(x, lower), hn::Gt(x, upper)), hn::Not(finite)),
                      bytes);
    std::uint16_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    shares |= std::uint64_t{bits} << i;
  }
  return shares;
}

// Adds the shares of the elements of a group that have their bit in `shares`.
template <typename In, typename Out>
HWY_INLINE void AddEach(GradientElements<In, Out> elements, std::uint64_t shares, float nudged_min,
                        float nudged_max, GradientSums sums) {
  for (; shares != 0; shares &= shares - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(shares));
    const SingleFloatTag d;
    const float gradient = hn::GetLane(LoadElements(d, elements.gradients + i));
    const float x = hn::GetLane(LoadElements(d, elements.inputs + i));
    // Without a branch, because which side it is cannot be predicted.
    sums.below[i % kPartialSums] += gradient * (x < nudged_min ? UnfoldedOne() : 0.0F);
    sums.above[i % kPartialSums] += gradient * (x > nudged_max ? UnfoldedOne() : 0.0F);
  }
}

// Differentiates `rows` rows of kPartialSums elements, one behind another.
template <std::size_t rows, GradientMask mask, Store store, typename In, typename Out>
HWY_INLINE void GroupRows(GradientElements<In, Out> elements, float nudged_min, float nudged_max,
                          GradientSums sums) {
  const FloatTag d;
  const auto lower = hn::Set(d, nudged_min);
  const auto upper = hn::Set(d, nudged_max);
  auto taken = hn::Zero(d);
  for (std::size_t i = 0; i < rows * kPartialSums; i += hn::Lanes(d)) {
    taken = hn::Or(taken, StoreInputGradients<mask, store>(d, elements + i, lower, upper));
  }
  if (hn::AllTrue(d, hn::Eq(taken, hn::Zero(d)))) {
    return;
  }
  if constexpr (rows == kGroupRows) {
    const std::uint64_t shares = SharesOfGroup(elements, nudged_min, nudged_max);
    if (std::popcount(shares) <= kFewShares) {
      AddEach(elements, shares, nudged_min, nudged_max, sums);
      return;
    }
  }
  const DoubleTag dd;
  const hn::Rebind<float, DoubleTag> df;
  for (std::size_t i = 0; i < kPartialSums; i += hn::Lanes(dd)) {
    AddShares(dd, elements + i, rows, kPartialSums, hn::Set(df, nudged_min),
              hn::Set(df, nudged_max), sums + i);
  }
}

template <GradientMask mask, Store store, typename In, typename Out>
void DifferentiateRun(const GradientRunArguments<In, Out>& arguments) {
  const GradientElements<In, Out> elements = {arguments.gradients, arguments.inputs,
                                              arguments.input_gradients};
  const GradientSums sums = {arguments.sums->below, arguments.sums->above};
  const std::size_t count = arguments.count;
  const float nudged_min = arguments.channel->nudged_min;
  const float nudged_max = arguments.channel->nudged_max;
  std::size_t i = 0;
  for (; count - i >= kGroupElements; i += kGroupElements) {
    GroupRows<kGroupRows, mask, store>(elements + i, nudged_min, nudged_max, sums);
  }
  for (; count - i >= kPartialSums; i += kPartialSums) {
    GroupRows<1, mask, store>(elements + i, nudged_min, nudged_max, sums);
  }
  const SingleFloatTag d;
  const auto lower = hn::Set(d, nudged_min);
  const auto upper = hn::Set(d, nudged_max);
  for (std::size_t sum = 0; i < count; ++i, ++sum) {
    StoreInputGradients<mask, Store::kCached>(d, elements + i, lower, upper);
    AddShares(SingleDoubleTag(), elements + i, 1, 0, lower, upper, sums + sum);
  }
}

// Returns the ends of the nudged ranges of a vector of columns whose parameters
// begin at `lane`.
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

// Parameters of neighbouring columns, from `lane` of a block on.
struct ColumnLanes {
  const ColumnParameters* block;
  std::size_t lane;
  float levels;
};

// Differentiates one vector of columns in `rows` rows. D and DD are tags of floats
// and of doubles; a vector of floats is a whole number of those of doubles.
template <std::size_t rows, GradientMask mask, Store store, class D, class DD, typename In,
          typename Out>
HWY_INLINE void ColumnStrip(D d, DD dd, GradientElements<In, Out> elements, std::size_t stride,
                            ColumnLanes lanes, GradientSums sums) {
  const auto [block, lane, levels] = lanes;
  const auto nudged_min = NudgedMin(d, *block, lane);
  const auto nudged_max = NudgedMax(d, *block, lane, levels);
  auto taken = hn::Zero(d);
  for (std::size_t at = 0; at < rows * stride; at += stride) {
    taken =
        hn::Or(taken, StoreInputGradients<mask, store>(d, elements + at, nudged_min, nudged_max));
  }
  if (hn::AllTrue(d, hn::Eq(taken, hn::Zero(d)))) {
    return;
  }
  const hn::Rebind<float, DD> df;
  for (std::size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(dd)) {
    AddShares(dd, elements + i, rows, stride, NudgedMin(df, *block, lane + i),
              NudgedMax(df, *block, lane + i, levels), sums + i);
  }
}

// Differentiates `rows` rows, which begin at `elements`.
template <std::size_t rows, GradientMask mask, Store store, typename In, typename Out>
HWY_INLINE void DifferentiateRows(const GradientColumnsArguments<In, Out>& arguments,
                                  GradientElements<In, Out> elements) {
  const FloatTag d;
  const std::size_t stride = arguments.stride;
  const float levels = arguments.levels;
  GradientSums sums = {arguments.sums_below, arguments.sums_above};
  const ColumnParameters* block = arguments.parameters;
  std::size_t left = arguments.columns;
  for (; left >= kMaxLanes; left -= kMaxLanes, ++block) {
    for (std::size_t lane = 0; lane < kMaxLanes; lane += hn::Lanes(d)) {
      ColumnStrip<rows, mask, store>(d, DoubleTag(), elements, stride, {block, lane, levels}, sums);
      elements = elements + hn::Lanes(d);
      sums = sums + hn::Lanes(d);
    }
  }
  for (std::size_t lane = 0; lane < left; ++lane) {
    ColumnStrip<rows, mask, Store::kCached>(SingleFloatTag(), SingleDoubleTag(), elements + lane,
                                            stride, {block, lane, levels}, sums + lane);
  }
}

// Takes a copy of the arguments, which no store to memory can change.
template <GradientMask mask, Store store, typename In, typename Out>
void DifferentiateColumns(const GradientColumnsArguments<In, Out>& all_arguments) {
  const GradientColumnsArguments<In, Out> arguments = all_arguments;
  const std::size_t stride = arguments.stride;
  const std::size_t rows = arguments.rows;
  const GradientElements<In, Out> elements = {arguments.gradients, arguments.inputs,
                                              arguments.input_gradients};
  std::size_t row = 0;
  if (stride <= kNarrowStride) {
    for (; row + kNarrowRows <= rows; row += kNarrowRows) {
      DifferentiateRows<kNarrowRows, mask, store>(arguments, elements + row * stride);
    }
  }
  for (; row < rows; ++row) {
    DifferentiateRows<1, mask, store>(arguments, elements + row * stride);
  }
}

// From here on, what was decided at run time becomes a template argument.

template <typename T>
bool IsAligned(const T* pointer) {
  return ElementsToAlignment(pointer, hn::Lanes(FloatTag())) == 0;
}

template <GradientMask mask, typename In, typename Out>
void GradientRunWithStore(const GradientRunArguments<In, Out>& arguments) {
  if (arguments.store == Store::kStreaming && IsAligned(arguments.input_gradients)) {
    DifferentiateRun<mask, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  DifferentiateRun<mask, Store::kCached>(arguments);
}

template <GradientMask mask, typename In, typename Out>
void GradientColumnsWithStore(const GradientColumnsArguments<In, Out>& arguments) {
  const bool rows_aligned =
      IsAligned(arguments.input_gradients) && arguments.stride % hn::Lanes(FloatTag()) == 0;
  if (arguments.store == Store::kStreaming && rows_aligned) {
    DifferentiateColumns<mask, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  DifferentiateColumns<mask, Store::kCached>(arguments);
}

template <typename In, typename Out>
void GradientRunWithMask(const GradientRunArguments<In, Out>& arguments) {
  assert(arguments.sums != nullptr);
  const ScopedFlushSubnormals flush;
  switch (arguments.mask) {
    case GradientMask::kProduct:
      return GradientRunWithStore<GradientMask::kProduct>(arguments);
  }
}

template <typename In, typename Out>
void GradientColumnsWithMask(const GradientColumnsArguments<In, Out>& arguments) {
  assert(arguments.rows <= 1 || arguments.columns <= arguments.stride);
  const ScopedFlushSubnormals flush;
  switch (arguments.mask) {
    case GradientMask::kProduct:
      return GradientColumnsWithStore<GradientMask::kProduct>(arguments);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_GRADIENT_INL_H_
