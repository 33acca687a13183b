// The forward kernels from float32 to float32.

#include "core/kernels/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/fake_quantize_float32.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/quantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

bool RunToFloat32(const RunArguments<float, float>& arguments) { return WithFormula(arguments); }
bool ColumnsToFloat32(const ColumnsArguments<float, float>& arguments) {
  return WithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunToFloat32);
HWY_EXPORT(ColumnsToFloat32);

void FakeQuantizeRun(const RunArguments<float, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunToFloat32)(arguments);
}

void FakeQuantizeColumns(const ColumnsArguments<float, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsToFloat32)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
