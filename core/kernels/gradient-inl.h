// The backward kernels as templates over the mask and the kind of store. Included once
// for each SIMD target.

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
#include <optional>

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

// Rows that begin this close together are worked on several at a time, so that
// their parameters are loaded once for all of them. Wider rows are taken one by
// one: memory is fastest in order, and rows that are a page apart compete for the
// same lines of the cache.
constexpr std::size_t kNarrowStride = 256;
constexpr std::size_t kNarrowRows = 4;

// Up to this many elements of a group are added one by one, which is faster than
// adding whole vectors.
constexpr int kFewShares = 4;

// No vector is wider than the partial sums.
using FloatTag = hn::CappedTag<float, kPartialSums>;
using DoubleTag = hn::CappedTag<double, kPartialSums / 2>;
using SingleFloatTag = hn::CappedTag<float, 1>;
using SingleDoubleTag = hn::CappedTag<double, 1>;

// Elements at the same place in each of the tensors.
struct GradientElements {
  GradientElements operator+(std::size_t elements) const {
    return {gradients + elements, inputs + elements, input_gradients + elements};
  }

  ElementPointer<float> gradients;
  ElementPointer<float> inputs;
  float* HWY_RESTRICT input_gradients;
};

// Sums side by side: of the gradients below the range, and of those above it.
struct GradientSums {
  GradientSums operator+(std::size_t sums) const { return {below + sums, above + sums}; }

  double* HWY_RESTRICT below;
  double* HWY_RESTRICT above;
};

// Returns which inputs have a share in the sum below the bounds, or above them.
template <GradientMask mask, class V>
HWY_INLINE auto IsBelow(V x, V lower) {
  if constexpr (mask == GradientMask::kSelectionWithEnds) {
    return hn::Le(x, lower);
  } else {
    return hn::Lt(x, lower);
  }
}
template <GradientMask mask, class V>
HWY_INLINE auto IsAbove(V x, V upper) {
  if constexpr (mask == GradientMask::kSelectionWithEnds) {
    return hn::Ge(x, upper);
  } else {
    return hn::Gt(x, upper);
  }
}

// Returns the gradients of elements that are chosen, and for the others 0 or the
// product with it.
template <GradientMask mask, class D, class V = hn::Vec<D>>
HWY_INLINE V Masked(D d, V gradient, hn::Mask<D> chosen) {
  if constexpr (mask == GradientMask::kProduct) {
    return hn::Mul(gradient, hn::IfThenElseZero(chosen, hn::Set(d, UnfoldedOne())));
  } else {
    return hn::IfThenElseZero(chosen, gradient);
  }
}

// Writes a vector of input gradients, and returns 0 for the elements without a share in
// the sums, and NaN or another number for those with one, if that is not 0.
template <GradientMask mask, Store store, class D, class V = hn::Vec<D>>
HWY_INLINE V StoreInputGradients(D d, GradientElements elements, V lower, V upper) {
  const V x = LoadElements(d, elements.inputs);
  // Not Le(), for which gcc would load x a second time. NaN fails the other test.
  const hn::Mask<D> inside = hn::AndNot(hn::Gt(x, upper), hn::Ge(x, lower));
  const V gradient = LoadElements(d, elements.gradients);
  const V input_gradient = Masked<mask>(d, gradient, inside);
  StoreVector<store>(d, input_gradient, elements.input_gradients);
  if constexpr (mask == GradientMask::kSelectionWithEnds) {
    return hn::IfThenZeroElse(hn::AndNot(hn::Ge(x, upper), hn::Gt(x, lower)), gradient);
  } else if constexpr (mask == GradientMask::kSelection) {
    return hn::IfThenZeroElse(inside, gradient);
  } else {
    // What the product took from it.
    return hn::Sub(gradient, input_gradient);
  }
}

// Adds the shares of `rows` vectors, which lie `stride` elements apart, to one sum for
// each lane of `d`.
template <GradientMask mask, class D, class V = hn::Vec<hn::Rebind<float, D>>>
HWY_INLINE void AddShares(D d, GradientElements elements, std::size_t rows, std::size_t stride,
                          V lower, V upper, GradientSums sums) {
  const hn::Rebind<float, D> df;
  auto below = hn::LoadU(d, sums.below);
  auto above = hn::LoadU(d, sums.above);
  for (std::size_t row = 0; row < rows; ++row) {
    const V x = LoadElements(df, elements.inputs + row * stride);
    const V gradient = LoadElements(df, elements.gradients + row * stride);
    below = hn::Add(below, hn::PromoteTo(d, Masked<mask>(df, gradient, IsBelow<mask>(x, lower))));
    above = hn::Add(above, hn::PromoteTo(d, Masked<mask>(df, gradient, IsAbove<mask>(x, upper))));
  }
  hn::StoreU(below, d, sums.below);
  hn::StoreU(above, d, sums.above);
}

// Returns which elements of a group have a share in the sums: bit i stands for
// element i.
template <GradientMask mask>
HWY_INLINE std::uint64_t SharesOfGroup(GradientElements elements, ChannelBounds bounds) {
  const FloatTag d;
  const auto lower = hn::Set(d, bounds.lower);
  const auto upper = hn::Set(d, bounds.upper);
  std::uint64_t shares = 0;
  for (std::size_t i = 0; i < kGroupElements; i += hn::Lanes(d)) {
    const auto x = LoadElements(d, elements.inputs + i);
    auto has_share = hn::Or(IsBelow<mask>(x, lower), IsAbove<mask>(x, upper));
    if constexpr (mask == GradientMask::kProduct) {
      const auto magnitude = hn::Abs(LoadElements(d, elements.gradients + i));
      has_share = hn::Or(has_share, hn::Not(hn::Lt(magnitude, hn::Inf(d))));
    }
    // Highway may write eight bytes.
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, has_share, bytes);
    std::uint16_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    shares |= std::uint64_t{bits} << i;
  }
  return shares;
}

// Adds the shares of the elements of a group that have their bit in `shares`.
template <GradientMask mask>
HWY_INLINE void AddEach(GradientElements elements, std::uint64_t shares, ChannelBounds bounds,
                        GradientSums sums) {
  const SingleFloatTag d;
  const auto lower = hn::Set(d, bounds.lower);
  const auto upper = hn::Set(d, bounds.upper);
  for (; shares != 0; shares &= shares - 1) {
    const auto i = static_cast<std::size_t>(std::countr_zero(shares));
    AddShares<mask>(SingleDoubleTag(), elements + i, 1, 0, lower, upper, sums + i % kPartialSums);
  }
}

// Differentiates `rows` rows of kPartialSums elements, one behind another.
template <std::size_t rows, GradientMask mask, Store store>
HWY_INLINE void GroupRows(GradientElements elements, ChannelBounds bounds, GradientSums sums) {
  const FloatTag d;
  const auto lower = hn::Set(d, bounds.lower);
  const auto upper = hn::Set(d, bounds.upper);
  auto taken = hn::Zero(d);
  for (std::size_t i = 0; i < rows * kPartialSums; i += hn::Lanes(d)) {
    taken = hn::Or(taken, StoreInputGradients<mask, store>(d, elements + i, lower, upper));
  }
  if (hn::AllTrue(d, hn::Eq(taken, hn::Zero(d)))) {
    return;
  }
  if constexpr (rows == kGroupRows) {
    const std::uint64_t shares = SharesOfGroup<mask>(elements, bounds);
    if (std::popcount(shares) <= kFewShares) {
      AddEach<mask>(elements, shares, bounds, sums);
      return;
    }
  }
  const DoubleTag dd;
  const hn::Rebind<float, DoubleTag> df;
  for (std::size_t i = 0; i < kPartialSums; i += hn::Lanes(dd)) {
    AddShares<mask>(dd, elements + i, rows, kPartialSums, hn::Set(df, bounds.lower),
                    hn::Set(df, bounds.upper), sums + i);
  }
}

template <GradientMask mask, Store store>
void DifferentiateRun(const GradientRunArguments& arguments) {
  const GradientElements elements = {arguments.gradients, arguments.inputs,
                                     arguments.input_gradients};
  const GradientSums sums = {arguments.sums->below, arguments.sums->above};
  const std::size_t count = arguments.count;
  const ChannelBounds bounds = arguments.bounds;
  std::size_t i = 0;
  for (; count - i >= kGroupElements; i += kGroupElements) {
    GroupRows<kGroupRows, mask, store>(elements + i, bounds, sums);
  }
  for (; count - i >= kPartialSums; i += kPartialSums) {
    GroupRows<1, mask, store>(elements + i, bounds, sums);
  }
  const SingleFloatTag d;
  const auto lower = hn::Set(d, bounds.lower);
  const auto upper = hn::Set(d, bounds.upper);
  for (std::size_t sum = 0; i < count; ++i, ++sum) {
    StoreInputGradients<mask, Store::kCached>(d, elements + i, lower, upper);
    AddShares<mask>(SingleDoubleTag(), elements + i, 1, 0, lower, upper, sums + sum);
  }
}

// The bounds of neighbouring columns, from `lane` of a block on.
struct ColumnLanes {
  const ColumnBounds* block;
  std::size_t lane;
};

// Differentiates one vector of columns in `rows` rows. D and DD are tags of floats
// and of doubles; a vector of floats is a whole number of those of doubles.
template <std::size_t rows, GradientMask mask, Store store, class D, class DD>
HWY_INLINE void ColumnStrip(D d, DD dd, GradientElements elements, std::size_t stride,
                            ColumnLanes lanes, GradientSums sums) {
  const auto [block, lane] = lanes;
  const auto lower = hn::Load(d, block->lower + lane);
  const auto upper = hn::Load(d, block->upper + lane);
  auto taken = hn::Zero(d);
  for (std::size_t at = 0; at < rows * stride; at += stride) {
    taken = hn::Or(taken, StoreInputGradients<mask, store>(d, elements + at, lower, upper));
  }
  if (hn::AllTrue(d, hn::Eq(taken, hn::Zero(d)))) {
    return;
  }
  const hn::Rebind<float, DD> df;
  for (std::size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(dd)) {
    AddShares<mask>(dd, elements + i, rows, stride, hn::Load(df, block->lower + lane + i),
                    hn::Load(df, block->upper + lane + i), sums + i);
  }
}

// Differentiates `rows` rows, which begin at `elements`.
template <std::size_t rows, GradientMask mask, Store store>
HWY_INLINE void DifferentiateRows(const GradientColumnsArguments& arguments,
                                  GradientElements elements) {
  const FloatTag d;
  const std::size_t stride = arguments.stride;
  GradientSums sums = {arguments.sums_below, arguments.sums_above};
  const ColumnBounds* block = arguments.bounds;
  std::size_t left = arguments.columns;
  for (; left >= kMaxLanes; left -= kMaxLanes, ++block) {
    for (std::size_t lane = 0; lane < kMaxLanes; lane += hn::Lanes(d)) {
      ColumnStrip<rows, mask, store>(d, DoubleTag(), elements, stride, {block, lane}, sums);
      elements = elements + hn::Lanes(d);
      sums = sums + hn::Lanes(d);
    }
  }
  for (std::size_t lane = 0; lane < left; ++lane) {
    ColumnStrip<rows, mask, Store::kCached>(SingleFloatTag(), SingleDoubleTag(), elements + lane,
                                            stride, {block, lane}, sums + lane);
  }
}

// Takes a copy of the arguments, which no store to memory can change.
template <GradientMask mask, Store store>
void DifferentiateColumns(const GradientColumnsArguments& all_arguments) {
  const GradientColumnsArguments arguments = all_arguments;
  const std::size_t stride = arguments.stride;
  const std::size_t rows = arguments.rows;
  const GradientElements elements = {arguments.gradients, arguments.inputs,
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

template <GradientMask mask>
void GradientRunWithStore(const GradientRunArguments& arguments) {
  if (arguments.store == Store::kStreaming && arguments.count >= kStreamedRun &&
      IsAligned(arguments.input_gradients)) {
    DifferentiateRun<mask, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  DifferentiateRun<mask, Store::kCached>(arguments);
}

template <GradientMask mask>
void GradientColumnsWithStore(const GradientColumnsArguments& arguments) {
  const bool rows_aligned =
      IsAligned(arguments.input_gradients) && arguments.stride % hn::Lanes(FloatTag()) == 0;
  if (arguments.store == Store::kStreaming && rows_aligned) {
    DifferentiateColumns<mask, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return;
  }
  DifferentiateColumns<mask, Store::kCached>(arguments);
}

// Calls function.operator()<mask>() in the mode in which the producer computes.
template <class Function>
void WithMask(GradientMask mask, bool flushes_subnormals, const Function& function) {
  std::optional<ScopedFlushSubnormals> flush;
  if (flushes_subnormals) {
    flush.emplace();
  }
  switch (mask) {
    case GradientMask::kProduct:
      return function.template operator()<GradientMask::kProduct>();
    case GradientMask::kSelection:
      return function.template operator()<GradientMask::kSelection>();
    case GradientMask::kSelectionWithEnds:
      return function.template operator()<GradientMask::kSelectionWithEnds>();
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_GRADIENT_INL_H_
