// The backward kernels from float32 to float32.

#include "core/kernels/gradient.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/gradient_float32.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/gradient-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

void GradientFloat32Run(const GradientRunArguments<float, float>& arguments) {
  GradientRunWithMask(arguments);
}

void GradientFloat32Columns(const GradientColumnsArguments<float, float>& arguments) {
  GradientColumnsWithMask(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(GradientFloat32Run);
HWY_EXPORT(GradientFloat32Columns);

void GradientRun(const GradientRunArguments<float, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(GradientFloat32Run)(arguments);
}

void GradientColumns(const GradientColumnsArguments<float, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(GradientFloat32Columns)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
