#include "bench/contenders/limits.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/contenders/limits.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The number of vectors per iteration, so that the loop itself costs nothing.
constexpr std::size_t kUnroll = 4;

// Calls function(index of the first element) for every vector of `count` elements. `count`
// must be a multiple of kUnroll vectors, which holds because sizes here are powers of two.
template <class D, class Function>
HWY_INLINE void ForEachVector(D d, std::size_t count, Function function) {
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < count; i += kUnroll * lanes) {
    for (std::size_t j = 0; j < kUnroll; ++j) {
      function(i + j * lanes);
    }
  }
}

void StreamingCopy(const float* HWY_RESTRICT from, std::size_t count, float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  ForEachVector(d, count,
                [=](std::size_t i) HWY_ATTR { hn::Stream(hn::Load(d, from + i), d, to + i); });
  hwy::FlushStream();
}

void CachedAdd(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::size_t count,
               float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  ForEachVector(d, count, [=](std::size_t i) HWY_ATTR {
    hn::Store(hn::Add(hn::Load(d, a + i), hn::Load(d, b + i)), d, to + i);
  });
}

void StreamingAdd(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::size_t count,
                  float* HWY_RESTRICT to) {
  const hn::ScalableTag<float> d;
  ForEachVector(d, count, [=](std::size_t i) HWY_ATTR {
    hn::Stream(hn::Add(hn::Load(d, a + i), hn::Load(d, b + i)), d, to + i);
  });
  hwy::FlushStream();
}

}  // namespace quantd::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::bench {
namespace {

HWY_EXPORT(StreamingCopy);
HWY_EXPORT(CachedAdd);
HWY_EXPORT(StreamingAdd);

}  // namespace

std::vector<Contender> Limits() {
  return {
      {.name = "memcpy",
       .operation = "copy",
       .prepare =
           [](const Problem& p) {
             return [=] { std::memcpy(p.outputs.data(), p.inputs.data(), p.inputs.size_bytes()); };
           }},
      {.name = "streaming_copy",
       .operation = "copy",
       .prepare =
           [](const Problem& p) {
             return [=] {
               HWY_DYNAMIC_DISPATCH(StreamingCopy)
               (p.inputs.data(), p.inputs.size(), p.outputs.data());
             };
           }},
      {.name = "cached_add",
       .operation = "add",
       .prepare =
           [](const Problem& p) {
             return [=] {
               HWY_DYNAMIC_DISPATCH(CachedAdd)
               (p.inputs.data(), p.gradients.data(), p.inputs.size(), p.outputs.data());
             };
           }},
      {.name = "streaming_add",
       .operation = "add",
       .prepare =
           [](const Problem& p) {
             return [=] {
               HWY_DYNAMIC_DISPATCH(StreamingAdd)
               (p.inputs.data(), p.gradients.data(), p.inputs.size(), p.outputs.data());
             };
           }},
  };
}

}  // namespace quantd::bench
#endif  // HWY_ONCE
