// The forward kernels from float16 to float16.

#include "core/kernels/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/fake_quantize_float16.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/quantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

bool RunToFloat16(const RunArguments<Float16, Float16>& arguments) {
  return WithFormula(arguments);
}
bool ColumnsToFloat16(const ColumnsArguments<Float16, Float16>& arguments) {
  return WithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunToFloat16);
HWY_EXPORT(ColumnsToFloat16);

void FakeQuantizeRun(const RunArguments<Float16, Float16>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunToFloat16)(arguments);
}

void FakeQuantizeColumns(const ColumnsArguments<Float16, Float16>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsToFloat16)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
