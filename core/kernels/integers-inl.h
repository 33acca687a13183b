// Vectors of float32 as integers, and integers of 32 bits as bytes. Included once for each
// SIMD target.

#if defined(QUANTD_CORE_KERNELS_INTEGERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_INTEGERS_INL_H_
#undef QUANTD_CORE_KERNELS_INTEGERS_INL_H_
#else
#define QUANTD_CORE_KERNELS_INTEGERS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// NearestInt32() rounds to the nearest integer, ties to even; FloorInt32() rounds down, and
// TruncInt32() towards zero. NaN and what does not fit give the lowest integer, which is
// what x86 does; Highway's NearestInt() takes further instructions to do otherwise.
//
// JoinBytes() returns the elements of `a` and of `b`, limited to 0 and 255: for each 128
// bits those of `a`, and then those of `b`.

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3

template <std::size_t N>
HWY_INLINE hn::Vec128<std::int32_t, N> NearestInt32(hn::Vec128<float, N> v) {
  return hn::Vec128<std::int32_t, N>{_mm_cvtps_epi32(v.raw)};
}
HWY_INLINE hn::Vec128<std::uint8_t> JoinBytes(hn::Vec128<std::int16_t> a,
                                              hn::Vec128<std::int16_t> b) {
  return hn::Vec128<std::uint8_t>{_mm_packus_epi16(a.raw, b.raw)};
}
#if HWY_TARGET <= HWY_AVX2
HWY_INLINE hn::Vec256<std::int32_t> NearestInt32(hn::Vec256<float> v) {
  return hn::Vec256<std::int32_t>{_mm256_cvtps_epi32(v.raw)};
}
HWY_INLINE hn::Vec256<std::uint8_t> JoinBytes(hn::Vec256<std::int16_t> a,
                                              hn::Vec256<std::int16_t> b) {
  return hn::Vec256<std::uint8_t>{_mm256_packus_epi16(a.raw, b.raw)};
}
#endif
#if HWY_TARGET <= HWY_AVX3
HWY_INLINE hn::Vec512<std::int32_t> NearestInt32(hn::Vec512<float> v) {
  return hn::Vec512<std::int32_t>{_mm512_cvtps_epi32(v.raw)};
}
HWY_INLINE hn::Vec512<std::int32_t> FloorInt32(hn::Vec512<float> v) {
  return hn::Vec512<std::int32_t>{
      _mm512_cvt_roundps_epi32(v.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
HWY_INLINE hn::Vec512<std::int32_t> TruncInt32(hn::Vec512<float> v) {
  return hn::Vec512<std::int32_t>{_mm512_cvttps_epi32(v.raw)};
}
HWY_INLINE hn::Vec512<std::uint8_t> JoinBytes(hn::Vec512<std::int16_t> a,
                                              hn::Vec512<std::int16_t> b) {
  return hn::Vec512<std::uint8_t>{_mm512_packus_epi16(a.raw, b.raw)};
}
#endif

#else

template <class V>
HWY_INLINE hn::Vec<hn::RebindToSigned<hn::DFromV<V>>> NearestInt32(V v) {
  const hn::DFromV<V> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto fits = hn::Lt(hn::Abs(v), hn::Set(d, 0x1p31F));
  return hn::IfThenElse(hn::RebindMask(di, fits), hn::NearestInt(v),
                        hn::Set(di, std::numeric_limits<std::int32_t>::min()));
}

#if HWY_TARGET != HWY_SCALAR
template <class V>
HWY_INLINE hn::Vec<hn::Repartition<std::uint8_t, hn::DFromV<V>>> JoinBytes(V a, V b) {
  static_assert(hn::MaxLanes(hn::DFromV<V>()) == 8, "other vectors have several blocks");
  const hn::Repartition<std::uint8_t, hn::DFromV<V>> d8;
  const hn::Half<decltype(d8)> half;
  return hn::Combine(d8, hn::DemoteTo(half, b), hn::DemoteTo(half, a));
}
#endif

#endif

template <class V>
HWY_INLINE auto FloorInt32(V v) {
  return NearestInt32(hn::Floor(v));
}
template <class V>
HWY_INLINE auto TruncInt32(V v) {
  return NearestInt32(hn::Trunc(v));
}

#if HWY_TARGET != HWY_SCALAR

// Returns the elements of two vectors, limited to 16 bits, in an order of its own.
template <class V>
HWY_INLINE auto JoinShorts(V a, V b) {
  return hn::ReorderDemote2To(hn::Repartition<std::int16_t, hn::DFromV<V>>(), a, b);
}

// For each lane of 32 bits in the order of four vectors, the lane in which it is if each
// block of 128 bits has a part of every vector.
template <std::size_t blocks>
struct BlockOrder {
  constexpr BlockOrder() {
    for (std::size_t lane = 0; lane < 4 * blocks; ++lane) {
      lanes[lane] = static_cast<std::uint32_t>(lane % blocks * 4 + lane / blocks);
    }
  }

  alignas(64) std::uint32_t lanes[4 * blocks] = {};
};

// Brings bytes into the order of their vectors: they are JoinBytes() of JoinShorts() of
// the vectors 0 and 1, and of 2 and 3.
template <class V>
HWY_INLINE V InOrder(V bytes) {
  const hn::Repartition<std::uint32_t, hn::DFromV<V>> d32;
  constexpr std::size_t kBlocks = hn::MaxLanes(d32) / 4;
  if constexpr (kBlocks == 1) {
    return bytes;
  } else {
    static constexpr BlockOrder<kBlocks> kOrder;
    return hn::BitCast(
        hn::DFromV<V>(),
        hn::TableLookupLanes(hn::BitCast(d32, bytes), hn::SetTableIndices(d32, kOrder.lanes)));
  }
}

#endif

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_INTEGERS_INL_H_
