// The forward kernels from float32 to codes of 8 bits.

#include "core/kernels/quantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/quantize_uint8.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/quantize-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

bool RunToUint8(const RunArguments<float, std::uint8_t>& arguments) {
  return WithFormula(arguments);
}
bool ColumnsToUint8(const ColumnsArguments<float, std::uint8_t>& arguments) {
  return WithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunToUint8);
HWY_EXPORT(ColumnsToUint8);

bool QuantizeRun(const RunArguments<float, std::uint8_t>& arguments) {
  return HWY_DYNAMIC_DISPATCH(RunToUint8)(arguments);
}

bool QuantizeColumns(const ColumnsArguments<float, std::uint8_t>& arguments) {
  return HWY_DYNAMIC_DISPATCH(ColumnsToUint8)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
