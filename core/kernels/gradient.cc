#include "core/kernels/gradient.h"

#include <cassert>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/gradient.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/gradient-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

void GradientOfRun(const GradientRunArguments& arguments) {
  assert(arguments.sums != nullptr);
  WithMask(arguments.mask, arguments.flushes_subnormals,
           [&]<GradientMask mask>() { GradientRunWithStore<mask>(arguments); });
}

void GradientOfColumns(const GradientColumnsArguments& arguments) {
  assert(arguments.rows <= 1 || arguments.columns <= arguments.stride);
  WithMask(arguments.mask, arguments.flushes_subnormals,
           [&]<GradientMask mask>() { GradientColumnsWithStore<mask>(arguments); });
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(GradientOfRun);
HWY_EXPORT(GradientOfColumns);

void GradientRun(const GradientRunArguments& arguments) {
  HWY_DYNAMIC_DISPATCH(GradientOfRun)(arguments);
}

void GradientColumns(const GradientColumnsArguments& arguments) {
  HWY_DYNAMIC_DISPATCH(GradientOfColumns)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
