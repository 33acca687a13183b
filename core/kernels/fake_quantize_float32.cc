// The forward kernels from float32 to float32.

#include "core/kernels/fake_quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/fake_quantize_float32.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/fake_quantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

void FakeQuantizeFloat32Run(const RunArguments<float, float>& arguments) {
  RunWithQuotient(arguments);
}

void FakeQuantizeFloat32Columns(const ColumnsArguments<float, float>& arguments) {
  ColumnsWithQuotient(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(FakeQuantizeFloat32Run);
HWY_EXPORT(FakeQuantizeFloat32Columns);

void FakeQuantizeRun(const RunArguments<float, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(FakeQuantizeFloat32Run)(arguments);
}

void FakeQuantizeColumns(const ColumnsArguments<float, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(FakeQuantizeFloat32Columns)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
