// Loops over elements in vectors. Included once for each SIMD target.

#if defined(QUANTD_CORE_KERNELS_FOR_EACH_VECTOR_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_FOR_EACH_VECTOR_INL_H_
#undef QUANTD_CORE_KERNELS_FOR_EACH_VECTOR_INL_H_
#else
#define QUANTD_CORE_KERNELS_FOR_EACH_VECTOR_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Calls function(tag, i) for the elements i to i + Lanes(tag) - 1, in order: for whole
// vectors of T as long as they lie within the first `in_vectors` elements, and then for
// single elements up to `count`.
template <typename T, class Function>
HWY_INLINE void ForEachVector(std::size_t in_vectors, std::size_t count, Function function) {
  const hn::ScalableTag<T> d;
  const hn::CappedTag<T, 1> single;
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= in_vectors; i += hn::Lanes(d)) {
    function(d, i);
  }
  for (; i < count; ++i) {
    function(single, i);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_FOR_EACH_VECTOR_INL_H_
