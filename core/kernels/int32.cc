#include "core/kernels/int32.h"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/int32.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/for_each_vector-inl.h"
#include "core/kernels/formulas-inl.h"
#include "core/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

constexpr std::int32_t kHighestInt32 = std::numeric_limits<std::int32_t>::max();

// Returns the codes of x, of a channel with these parameters.
template <StepFormula step, class DI, class V>
HWY_INLINE hn::Vec<DI> CodesOf(DI di, V x, const ChannelParameters& channel,
                               std::int32_t zero_point, CodeRange codes) {
  const hn::Rebind<float, DI> d;
  const V steps = hn::Mul(x, hn::Set(d, channel.inverse_scale));
  const auto lowest = hn::Set(di, codes.min);
  const auto highest = hn::Set(di, codes.max);
  if constexpr (step == StepFormula::kMultiplyHalfUp) {
    // The sum is modulo 2^32.
    const auto code = hn::Add(FloorInt32(BeforeHalfUp(d, steps)), hn::Set(di, zero_point));
    return hn::Min(hn::Max(code, lowest), highest);
  } else {
    const V code = hn::Add(hn::Set(d, static_cast<float>(zero_point)), hn::Round(steps));
    const auto too_high = hn::RebindMask(di, hn::Ge(code, hn::Set(d, 0x1p31F)));
    const auto whole = hn::IfThenElse(too_high, hn::Set(di, kHighestInt32), NearestInt32(code));
    // What does not fit into 64 bits is the lowest, and so is NaN.
    const auto fits = hn::RebindMask(di, hn::Lt(hn::Abs(code), hn::Set(d, 0x1p63F)));
    return hn::IfThenElse(fits, hn::Min(hn::Max(whole, lowest), highest), lowest);
  }
}

template <StepFormula step, class D>
HWY_INLINE void QuantizeAt(D d, ElementPointer<float> from, const ChannelParameters& channel,
                           std::int32_t zero_point, CodeRange codes, std::int32_t* to) {
  const hn::RebindToSigned<D> di;
  hn::StoreU(CodesOf<step>(di, LoadElements(d, from), channel, zero_point, codes), di, to);
}

template <StepFormula step>
void QuantizeAll(ElementPointer<float> input, std::size_t count, const Int32Channels& channels,
                 CodeRange codes, std::int32_t* output) {
  const std::size_t in_vectors = channels.stride == 0 ? count : 0;
  ForEachVector<float>(in_vectors, count, [&](auto d, std::size_t i) HWY_ATTR {
    const std::size_t channel = i * channels.stride;
    QuantizeAt<step>(d, input + i, channels.parameters[channel], channels.zero_points[channel],
                     codes, output + i);
  });
}

void QuantizeInt32(ElementPointer<float> input, std::size_t count, const Int32Channels& channels,
                   StepFormula step, CodeRange codes, std::int32_t* output) {
  if (step == StepFormula::kMultiplyHalfUp) {
    return QuantizeAll<StepFormula::kMultiplyHalfUp>(input, count, channels, codes, output);
  }
  return QuantizeAll<StepFormula::kMultiplyHalfEven>(input, count, channels, codes, output);
}

template <Int32Difference difference, class D>
HWY_INLINE hn::Vec<D> StepsOf(D d, hn::Vec<hn::RebindToSigned<D>> codes, std::int32_t zero_point) {
  const hn::RebindToSigned<D> di;
  if constexpr (difference == Int32Difference::kOfFloats) {
    return hn::Sub(hn::ConvertTo(d, codes), hn::Set(d, static_cast<float>(zero_point)));
  } else if constexpr (difference == Int32Difference::kOfRounded) {
    const auto rounded = NearestInt32(hn::ConvertTo(d, codes));
    return hn::ConvertTo(d, hn::Sub(rounded, hn::Set(di, zero_point)));
  } else {
    return hn::ConvertTo(d, hn::Sub(codes, hn::Set(di, zero_point)));
  }
}

template <Int32Difference difference, class D>
HWY_INLINE void DequantizeAt(D d, ElementPointer<std::int32_t> from,
                             const ChannelParameters& channel, std::int32_t zero_point, float* to) {
  const hn::RebindToSigned<D> di;
  const auto steps = StepsOf<difference>(d, LoadElements(di, from), zero_point);
  hn::StoreU(hn::Mul(steps, hn::Set(d, channel.scale)), d, to);
}

template <Int32Difference difference>
void DequantizeAll(ElementPointer<std::int32_t> input, std::size_t count,
                   const Int32Channels& channels, float* output) {
  const std::size_t in_vectors = channels.stride == 0 ? count : 0;
  ForEachVector<float>(in_vectors, count, [&](auto d, std::size_t i) HWY_ATTR {
    const std::size_t channel = i * channels.stride;
    DequantizeAt<difference>(d, input + i, channels.parameters[channel],
                             channels.zero_points[channel], output + i);
  });
}

void DequantizeInt32(ElementPointer<std::int32_t> input, std::size_t count,
                     const Int32Channels& channels, Int32Difference difference, float* output) {
  switch (difference) {
    case Int32Difference::kWrapped:
      return DequantizeAll<Int32Difference::kWrapped>(input, count, channels, output);
    case Int32Difference::kOfRounded:
      return DequantizeAll<Int32Difference::kOfRounded>(input, count, channels, output);
    case Int32Difference::kOfFloats:
      return DequantizeAll<Int32Difference::kOfFloats>(input, count, channels, output);
  }
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(QuantizeInt32);
HWY_EXPORT(DequantizeInt32);

void QuantizeToInt32(ElementPointer<float> input, std::size_t count, const Int32Channels& channels,
                     StepFormula step, CodeRange codes, std::int32_t* output) {
  HWY_DYNAMIC_DISPATCH(QuantizeInt32)(input, count, channels, step, codes, output);
}

void DequantizeFromInt32(ElementPointer<std::int32_t> input, std::size_t count,
                         const Int32Channels& channels, Int32Difference difference, float* output) {
  HWY_DYNAMIC_DISPATCH(DequantizeInt32)(input, count, channels, difference, output);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
