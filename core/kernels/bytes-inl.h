// Vectors of 32-bit lanes as vectors of bytes. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_BYTES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_BYTES_INL_H_
#undef QUANTD_CORE_KERNELS_BYTES_INL_H_
#else
#define QUANTD_CORE_KERNELS_BYTES_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR

// Returns the low byte of each lane of four whole vectors, one vector after another.
template <class V>
HWY_INLINE hn::Vec<hn::ScalableTag<std::uint8_t>> JoinLowBytes(V v0, V v1, V v2, V v3) {
  const hn::ScalableTag<std::uint8_t> d8;
  const hn::ScalableTag<std::uint16_t> d16;
  const hn::ScalableTag<std::uint32_t> d32;
  // Lane i gets byte i of v0, v1, v2 and v3, in this order.
  const auto v02 = hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(v2)), hn::BitCast(d16, v0));
  const auto v13 = hn::OddEven(hn::BitCast(d16, hn::ShiftLeft<16>(v3)), hn::BitCast(d16, v1));
  const auto joined = hn::Or(hn::And(v02, hn::Set(d16, 0xFF)), hn::ShiftLeft<8>(v13));
  // Then each block of 128 bits gets four bytes of each vector.
  alignas(16) static constexpr std::uint8_t kTransposed[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                               2, 6, 10, 14, 3, 7, 11, 15};
  const auto blocks =
      hn::TableLookupBytes(hn::BitCast(d8, joined), hn::LoadDup128(d8, kTransposed));
  // Then the blocks' parts of each vector come together.
  constexpr std::size_t kBlocks = hn::MaxLanes(d32) / 4;
  alignas(64) std::uint32_t order[4 * kBlocks];
  for (std::size_t vector = 0; vector < 4; ++vector) {
    for (std::size_t block = 0; block < kBlocks; ++block) {
      order[vector * kBlocks + block] = static_cast<std::uint32_t>(block * 4 + vector);
    }
  }
  return hn::BitCast(
      d8, hn::TableLookupLanes(hn::BitCast(d32, blocks), hn::SetTableIndices(d32, order)));
}

#endif

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_BYTES_INL_H_
