// Loads vectors from any address, and stores them through the cache or past it.
// Included once for each SIMD target.

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
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Returns the number of elements between `pointer` and the next address that is
// a multiple of a vector of `lanes` elements.
template <typename T>
HWY_INLINE std::size_t ElementsToAlignment(const T* pointer, std::size_t lanes) {
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(pointer) / sizeof(T) % lanes;
  return misaligned == 0 ? 0 : lanes - misaligned;
}

// Shorter runs are written through the cache: to wait for the stores to reach memory
// after each of them takes longer than to write it.
constexpr std::size_t kStreamedRun = 4096;

// How far behind what is loaded next memory is fetched into the cache. The hardware alone
// has too few lines on their way (docs/experiments.md).
constexpr std::size_t kPrefetchedBytes = 2048;
constexpr std::size_t kCacheLineBytes = 64;

// Fetches the elements that lie `distance` bytes behind the `count` elements at `from`. They
// may be beyond the end of all memory: this is not an access.
template <typename T>
HWY_INLINE void PrefetchBehind(ElementPointer<T> from, std::size_t count, std::size_t distance) {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(from.bytes()) + distance;
  for (std::size_t offset = 0; offset < count * sizeof(T); offset += kCacheLineBytes) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a pointer beyond the end must not be computed
    hwy::Prefetch(reinterpret_cast<const std::byte*>(first + offset));
  }
}

// Loads a vector of elements at any address. Highway's instructions for whole
// vectors do so already, but it loads a single lane as a plain T, which would
// have to be aligned.
template <class D>
HWY_INLINE hn::Vec<D> LoadElements(D d, ElementPointer<hn::TFromD<D>> from) {
  using T = hn::TFromD<D>;
  if constexpr (hn::MaxLanes(D()) == 1) {
    T element;
    std::memcpy(&element, from.bytes(), sizeof(element));
    return hn::Set(d, element);
  } else {
    return hn::LoadU(d, reinterpret_cast<const T*>(from.bytes()));
  }
}

// Stores a vector at `to`, which is aligned for the vector if `store` is
// kStreaming.
template <Store store, class D>
HWY_INLINE void StoreVector(D d, hn::Vec<D> v, hn::TFromD<D>* to) {
  if constexpr (store == Store::kStreaming) {
    hn::Stream(v, d, to);
  } else {
    hn::StoreU(v, d, to);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_MEMORY_INL_H_
