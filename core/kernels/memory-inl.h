// Loading a vector from any address, and storing it in the way that a kernel was
// asked to. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_MEMORY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_MEMORY_INL_H_
#undef QUANTD_CORE_KERNELS_MEMORY_INL_H_
#else
#define QUANTD_CORE_KERNELS_MEMORY_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/element_pointer.h"
#include "core/kernels/parameters.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// How many elements lie between `pointer` and the next address that is a
// multiple of a vector of `lanes` elements.
HWY_INLINE std::size_t ElementsToAlignment(const float* pointer, std::size_t lanes) {
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(pointer) / sizeof(float) % lanes;
  return misaligned == 0 ? 0 : lanes - misaligned;
}

// Rows of columns that lie this close together are worked on several at a time,
// so that parameters are loaded once for all of them. Wider rows are not: memory
// is fastest in order, and rows that are a page apart compete for the same lines
// of the cache.
constexpr std::size_t kNarrowStride = 256;
constexpr std::size_t kNarrowRows = 4;

// Highway's instructions for whole vectors load from any address, but a single
// lane is a plain float to it.
template <class D>
HWY_INLINE hn::Vec<D> LoadElements(D d, ElementPointer from) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    float element;
    std::memcpy(&element, from.bytes(), sizeof(element));
    return hn::Set(d, element);
  } else {
    return hn::LoadU(d, reinterpret_cast<const float*>(from.bytes()));
  }
}

// Precondition: `to` is aligned if `store` is kStreaming.
template <Store store, class D>
HWY_INLINE void StoreVector(D d, hn::Vec<D> v, float* to) {
  if constexpr (store == Store::kStreaming) {
    hn::Stream(v, d, to);
  } else {
    hn::StoreU(v, d, to);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_MEMORY_INL_H_
