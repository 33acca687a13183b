#include "core/kernels/float64.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/float64.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/for_each_vector-inl.h"
#include "core/kernels/formulas-inl.h"
#include "core/kernels/memory-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

template <class D>
HWY_INLINE void QuantizeAt(D d, ElementPointer<double> from, const Float64Channel& channel,
                           double* to) {
  const auto zero_point = hn::Set(d, channel.zero_point);
  const auto quant_min = hn::Set(d, channel.quant_min);
  const auto steps = hn::Mul(LoadElements(d, from), hn::Set(d, channel.inverse_scale));
  const auto code = hn::Add(zero_point, hn::Round(steps));
  const auto limited = hn::Min(hn::Max(code, quant_min), hn::Set(d, channel.quant_max));
  const auto from_zero = hn::Sub(hn::IfThenElse(hn::IsNaN(code), quant_min, limited), zero_point);
  hn::StoreU(hn::Mul(from_zero, hn::Set(d, channel.scale)), d, to);
}

template <StepFormula step, class D>
HWY_INLINE void ClampAndQuantizeAt(D d, ElementPointer<double> from, const Float64Channel& channel,
                                   double* to) {
  const auto clamped =
      Clamp(d, LoadElements(d, from), hn::Set(d, channel.lower), hn::Set(d, channel.upper));
  const auto scaled = hn::Mul(clamped, hn::Set(d, channel.inverse_scale));
  const auto scale = hn::Set(d, channel.scale);
  if constexpr (step == StepFormula::kClampedHalfUp) {
    hn::StoreU(hn::Mul(hn::Floor(hn::Add(scaled, hn::Set(d, 0.5))), scale), d, to);
  } else {
    hn::StoreU(hn::Mul(RoundHalfEvenWithSign(scaled), scale), d, to);
  }
}

template <class D>
HWY_INLINE void DifferentiateAt(D d, ElementPointer<double> gradients,
                                ElementPointer<double> inputs, const Float64Channel& channel,
                                double* to) {
  const auto x = LoadElements(d, inputs);
  const auto inside =
      hn::And(hn::Ge(x, hn::Set(d, channel.lower)), hn::Le(x, hn::Set(d, channel.upper)));
  // A product, so that the gradients outside are zeros of their sign, or NaN.
  const auto mask = hn::IfThenElseZero(inside, hn::Set(d, double{UnfoldedOne()}));
  hn::StoreU(hn::Mul(LoadElements(d, gradients), mask), d, to);
}

// Calls function(tag, i, channel) for whole vectors of one channel, and then for single
// elements.
template <class Function>
HWY_INLINE void ForEachVectorOf(const Float64Channel* channels, std::size_t stride,
                                std::size_t count, Function function) {
  ForEachVector<double>(stride == 0 ? count : 0, count, [&](auto d, std::size_t i) HWY_ATTR {
    function(d, i, channels[i * stride]);
  });
}

void QuantizeFloat64s(ElementPointer<double> input, std::size_t count,
                      const Float64Channel* channels, std::size_t stride, double* output) {
  ForEachVectorOf(channels, stride, count,
                  [&](auto d, std::size_t i, const Float64Channel& channel)
                      HWY_ATTR { QuantizeAt(d, input + i, channel, output + i); });
}

template <StepFormula step>
void ClampAndQuantize(ElementPointer<double> input, std::size_t count,
                      const Float64Channel* channels, std::size_t stride, double* output) {
  const ScopedFlushSubnormals flush;
  ForEachVectorOf(channels, stride, count,
                  [&](auto d, std::size_t i, const Float64Channel& channel)
                      HWY_ATTR { ClampAndQuantizeAt<step>(d, input + i, channel, output + i); });
}

void QuantizeFloat64sByRange(ElementPointer<double> input, std::size_t count,
                             const Float64Channel* channels, std::size_t stride, StepFormula step,
                             double* output) {
  if (step == StepFormula::kClampedHalfUp) {
    return ClampAndQuantize<StepFormula::kClampedHalfUp>(input, count, channels, stride, output);
  }
  return ClampAndQuantize<StepFormula::kClampedHalfEven>(input, count, channels, stride, output);
}

void Differentiate(ElementPointer<double> gradients, ElementPointer<double> inputs,
                   std::size_t count, const Float64Channel* channels, std::size_t stride,
                   double* input_gradients) {
  ForEachVectorOf(channels, stride, count,
                  [&](auto d, std::size_t i, const Float64Channel& channel) HWY_ATTR {
                    DifferentiateAt(d, gradients + i, inputs + i, channel, input_gradients + i);
                  });
}

void DifferentiateFloat64s(ElementPointer<double> gradients, ElementPointer<double> inputs,
                           std::size_t count, const Float64Channel* channels, std::size_t stride,
                           bool flushes_subnormals, double* input_gradients) {
  if (flushes_subnormals) {
    const ScopedFlushSubnormals flush;
    return Differentiate(gradients, inputs, count, channels, stride, input_gradients);
  }
  return Differentiate(gradients, inputs, count, channels, stride, input_gradients);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(QuantizeFloat64s);
HWY_EXPORT(QuantizeFloat64sByRange);
HWY_EXPORT(DifferentiateFloat64s);

void FakeQuantizeFloat64(ElementPointer<double> input, std::size_t count,
                         const Float64Channel* channels, std::size_t stride, double* output) {
  HWY_DYNAMIC_DISPATCH(QuantizeFloat64s)(input, count, channels, stride, output);
}

void FakeQuantizeFloat64ByRange(ElementPointer<double> input, std::size_t count,
                                const Float64Channel* channels, std::size_t stride,
                                StepFormula step, double* output) {
  HWY_DYNAMIC_DISPATCH(QuantizeFloat64sByRange)(input, count, channels, stride, step, output);
}

void GradientFloat64(ElementPointer<double> gradients, ElementPointer<double> inputs,
                     std::size_t count, const Float64Channel* channels, std::size_t stride,
                     bool flushes_subnormals, double* input_gradients) {
  HWY_DYNAMIC_DISPATCH(DifferentiateFloat64s)
  (gradients, inputs, count, channels, stride, flushes_subnormals, input_gradients);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
