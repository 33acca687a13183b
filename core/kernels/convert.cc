#include "core/kernels/convert.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/convert.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/convert-inl.h"
#include "core/kernels/for_each_vector-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

// Loads 16-bit floats at any address, also a single one.
template <class D>
HWY_INLINE hn::Vec<D> LoadBits(D d, const std::byte* from) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    std::uint16_t bits;
    std::memcpy(&bits, from, sizeof(bits));
    return hn::Set(d, bits);
  } else {
    return hn::LoadU(d, reinterpret_cast<const std::uint16_t*>(from));
  }
}

void WidenFloat16s(ElementPointer<Float16> input, std::size_t count, float* output) {
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    const Tag16<decltype(d)> d16;
    hn::StoreU(WidenFloat16(d, LoadBits(d16, (input + i).bytes())), d, output + i);
  });
}

void WidenBFloat16s(ElementPointer<BFloat16> input, std::size_t count, float* output) {
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    const Tag16<decltype(d)> d16;
    hn::StoreU(WidenBFloat16(d, LoadBits(d16, (input + i).bytes())), d, output + i);
  });
}

void NarrowFloat16s(const float* input, std::size_t count, Float16* output) {
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    const Tag16<decltype(d)> d16;
    hn::StoreU(NarrowToFloat16(d, hn::LoadU(d, input + i)), d16, &output[i].bits);
  });
}

void NarrowBFloat16s(const float* input, std::size_t count, BFloat16* output) {
  ForEachVector<float>(count, count, [&](auto d, std::size_t i) HWY_ATTR {
    const Tag16<decltype(d)> d16;
    hn::StoreU(NarrowToBFloat16(d, hn::LoadU(d, input + i)), d16, &output[i].bits);
  });
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
