// The forward kernels from float32 to codes of 16 bits.

#include "core/kernels/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/quantize_uint16.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/quantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

bool RunToUint16(const RunArguments<float, std::uint16_t>& arguments) {
  return WithFormula(arguments);
}
bool ColumnsToUint16(const ColumnsArguments<float, std::uint16_t>& arguments) {
  return WithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunToUint16);
HWY_EXPORT(ColumnsToUint16);

bool QuantizeRun(const RunArguments<float, std::uint16_t>& arguments) {
  return HWY_DYNAMIC_DISPATCH(RunToUint16)(arguments);
}

bool QuantizeColumns(const ColumnsArguments<float, std::uint16_t>& arguments) {
  return HWY_DYNAMIC_DISPATCH(ColumnsToUint16)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
