// The forward kernels from bfloat16 to bfloat16.

#include "core/kernels/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/fake_quantize_bfloat16.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/quantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

bool RunToBFloat16(const RunArguments<BFloat16, BFloat16>& arguments) {
  return WithFormula(arguments);
}
bool ColumnsToBFloat16(const ColumnsArguments<BFloat16, BFloat16>& arguments) {
  return WithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunToBFloat16);
HWY_EXPORT(ColumnsToBFloat16);

void FakeQuantizeRun(const RunArguments<BFloat16, BFloat16>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunToBFloat16)(arguments);
}

void FakeQuantizeColumns(const ColumnsArguments<BFloat16, BFloat16>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsToBFloat16)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
