// Elements of any type as vectors of float32. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_FLOATS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_FLOATS_INL_H_
#undef QUANTD_CORE_KERNELS_FLOATS_INL_H_
#else
#define QUANTD_CORE_KERNELS_FLOATS_INL_H_
#endif

#include <concepts>
#include <cstdint>

#include "core/base/element_pointer.h"
#include "core/base/float16.h"
#include "core/kernels/convert-inl.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/parameters.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
concept IsFloat = std::same_as<T, float> || std::same_as<T, Float16> || std::same_as<T, BFloat16>;

// Loads floats or codes of up to 16 bits at any address.
template <class D, typename T>
HWY_INLINE hn::Vec<D> LoadFloats(D d, ElementPointer<T> from) {
  if constexpr (std::same_as<T, float>) {
    return LoadElements(d, from);
  } else if constexpr (!IsFloat<T>) {
    const auto codes = LoadElements(hn::Rebind<T, D>(), from);
    return hn::ConvertTo(d, hn::PromoteTo(hn::RebindToSigned<D>(), codes));
  } else {
    const auto bits = LoadElements(Tag16<D>(), ElementPointer<std::uint16_t>(from.bytes()));
    if constexpr (std::same_as<T, Float16>) {
      return WidenFloat16(d, bits);
    } else {
      return WidenBFloat16(d, bits);
    }
  }
}

// Rounds to T and stores at `to`, which is aligned for the vector if `store` is
// kStreaming.
template <Store store, class D, typename T>
HWY_INLINE void StoreFloats(D d, hn::Vec<D> v, T* to) {
  if constexpr (std::same_as<T, float>) {
    StoreVector<store>(d, v, to);
  } else if constexpr (std::same_as<T, Float16>) {
    StoreVector<store>(Tag16<D>(), NarrowToFloat16(d, v), &to->bits);
  } else {
    StoreVector<store>(Tag16<D>(), NarrowToBFloat16(d, v), &to->bits);
  }
}

#if HWY_TARGET != HWY_SCALAR
// Rounds two vectors to T, of 16 bits, and stores them, in order. The lower half of a NaN
// is 0.
template <Store store, class D, typename T>
HWY_INLINE void StoreTwo(D d, hn::Vec<D> v0, hn::Vec<D> v1, T* to) {
  const hn::Repartition<std::uint16_t, D> d16;
  if constexpr (std::same_as<T, Float16>) {
    const auto halves = hn::Combine(d16, NarrowToFloat16(d, v1), NarrowToFloat16(d, v0));
    StoreVector<store>(d16, halves, &to->bits);
  } else {
    const auto halves = hn::ConcatOdd(d16, hn::BitCast(d16, NearestUpperHalf(d, v1)),
                                      hn::BitCast(d16, NearestUpperHalf(d, v0)));
    StoreVector<store>(d16, halves, &to->bits);
  }
}
#endif

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_FLOATS_INL_H_
