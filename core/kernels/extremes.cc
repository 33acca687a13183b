#include "core/kernels/extremes.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/extremes.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/for_each_vector-inl.h"
#include "core/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

// Returns x, or 0 for NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ZeroForNan(D /*d*/, V x) {
  return hn::IfThenZeroElse(hn::IsNaN(x), x);
}

template <class D>
HWY_INLINE Extremes ExtremesOfVectors(D d, ElementPointer<float> input, std::size_t count) {
  auto min = hn::Zero(d);
  auto max = hn::Zero(d);
  auto nan = hn::Zero(d);
  for (std::size_t i = 0; i + hn::Lanes(d) <= count; i += hn::Lanes(d)) {
    const auto x = LoadElements(d, input + i);
    nan = hn::Or(nan, hn::VecFromMask(d, hn::IsNaN(x)));
    min = hn::Min(min, ZeroForNan(d, x));
    max = hn::Max(max, ZeroForNan(d, x));
  }
  const hn::RebindToUnsigned<D> du;
  const auto nan_bits = hn::BitCast(du, nan);
  return {.min = hn::GetLane(hn::MinOfLanes(d, min)),
          .max = hn::GetLane(hn::MaxOfLanes(d, max)),
          .has_nan = !hn::AllTrue(du, hn::Eq(nan_bits, hn::Zero(du)))};
}

Extremes ExtremesOfRun(ElementPointer<float> input, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t whole = count - count % hn::Lanes(d);
  const Extremes vectors = ExtremesOfVectors(d, input, whole);
  const Extremes rest = ExtremesOfVectors(hn::CappedTag<float, 1>(), input + whole, count - whole);
  return {.min = std::min(vectors.min, rest.min),
          .max = std::max(vectors.max, rest.max),
          .has_nan = vectors.has_nan || rest.has_nan};
}

template <class D>
HWY_INLINE bool ExtendAt(D d, ElementPointer<float> from, float* min, float* max) {
  const auto x = LoadElements(d, from);
  const auto number = ZeroForNan(d, x);
  hn::StoreU(hn::Min(hn::LoadU(d, min), number), d, min);
  hn::StoreU(hn::Max(hn::LoadU(d, max), number), d, max);
  return !hn::AllFalse(d, hn::IsNaN(x));
}

bool ExtendEach(ElementPointer<float> input, std::size_t count, float* min, float* max) {
  bool has_nan = false;
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    has_nan |= ExtendAt(d, input + i, min + i, max + i);
  });
  return has_nan;
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(ExtremesOfRun);
HWY_EXPORT(ExtendEach);

Extremes ExtremesOf(ElementPointer<float> input, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(ExtremesOfRun)(input, count);
}

bool ExtendExtremes(ElementPointer<float> input, std::size_t count, float* min, float* max) {
  return HWY_DYNAMIC_DISPATCH(ExtendEach)(input, count, min, max);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
