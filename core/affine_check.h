// Checks of scales and zero points.

#ifndef QUANTD_CORE_AFFINE_CHECK_H_
#define QUANTD_CORE_AFFINE_CHECK_H_

#include "absl/status/status.h"
#include "core/quantization.h"
#include "core/resolved_spec.h"

namespace quantd::core {

// Checks what does not depend on a shape.
//
// Errors: PARAMETERS_SIZE_MISMATCH if there are no scales, several without an axis, or
// another number of zero points, other than none; INVALID_BLOCK_SIZE for 0 or without
// an axis; INVALID_SCALE for a scale that is not finite and positive, or not one that
// the numerics computes with; INVALID_ZERO_POINT for one outside of the codes, or other
// than 0 where the numerics has no other.
absl::Status CheckAffineParameters(const AffineParameters& affine, const ResolvedSpec& spec);

}  // namespace quantd::core

#endif  // QUANTD_CORE_AFFINE_CHECK_H_
