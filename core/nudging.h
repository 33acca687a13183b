// How ranges are nudged, so that a code stands for exactly zero.

#ifndef QUANTD_CORE_NUDGING_H_
#define QUANTD_CORE_NUDGING_H_

#include "absl/status/statusor.h"
#include "core/numerics.h"
#include "core/quantization.h"
#include "core/resolved_spec.h"

namespace quantd::core {

// Nudges `range` as the numerics of `spec` does, in float32, with each operation
// rounded once. Ignores the axis: min and max may have any size.
//
// Errors: RANGE_SIZE_MISMATCH if min and max differ in size; INVALID_RANGE, which
// names the bound, if it is NaN, infinite, or subnormal and not 0; if min > max or
// min == max, other than 0 where the numerics has channels of zeros; if the scale is
// below 2 * FLT_MIN, its inverse is subnormal, or max - min of the nudged range is
// not finite.
absl::StatusOr<NudgedRange> Nudge(const Range& range, const ResolvedSpec& spec, ZeroPointRule rule);

// Whether the numerics computes `range` by its rules for a single channel.
inline bool IsSimplified(const Range& range, const RangeArithmetic& arithmetic) {
  return arithmetic.simplifies_single_channel && range.axis.has_value() && range.min.size() == 1;
}

// Returns the inverse of the scale of a range; min < max.
float InverseScale(float min, float max, float scale, float levels, InverseRule rule);

}  // namespace quantd::core

#endif  // QUANTD_CORE_NUDGING_H_
