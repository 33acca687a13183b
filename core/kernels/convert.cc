#include "core/kernels/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/convert.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/floats-inl.h"
#include "core/kernels/for_each_vector-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

template <typename T>
HWY_INLINE void WidenAll(ElementPointer<T> input, std::size_t count, float* output) {
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    hn::StoreU(LoadFloats(d, input + i), d, output + i);
  });
}

template <typename T>
HWY_INLINE void NarrowAll(const float* input, std::size_t count, T* output) {
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    StoreFloats<Store::kCached>(d, hn::LoadU(d, input + i), output + i);
  });
}

void WidenFloat16s(ElementPointer<Float16> input, std::size_t count, float* output) {
  WidenAll(input, count, output);
}

void WidenBFloat16s(ElementPointer<BFloat16> input, std::size_t count, float* output) {
  WidenAll(input, count, output);
}

void NarrowFloat16s(const float* input, std::size_t count, Float16* output) {
  NarrowAll(input, count, output);
}

void NarrowBFloat16s(const float* input, std::size_t count, BFloat16* output) {
  NarrowAll(input, count, output);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(WidenFloat16s);
HWY_EXPORT(WidenBFloat16s);
HWY_EXPORT(NarrowFloat16s);
HWY_EXPORT(NarrowBFloat16s);

void Widen(ElementPointer<Float16> input, std::size_t count, float* output) {
  HWY_DYNAMIC_DISPATCH(WidenFloat16s)(input, count, output);
}

void Widen(ElementPointer<BFloat16> input, std::size_t count, float* output) {
  HWY_DYNAMIC_DISPATCH(WidenBFloat16s)(input, count, output);
}

void Narrow(const float* input, std::size_t count, Float16* output) {
  HWY_DYNAMIC_DISPATCH(NarrowFloat16s)(input, count, output);
}

void Narrow(const float* input, std::size_t count, BFloat16* output) {
  HWY_DYNAMIC_DISPATCH(NarrowBFloat16s)(input, count, output);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
