// What every range must be, whatever its numerics makes of it.

#ifndef QUANTD_CORE_RANGE_CHECK_H_
#define QUANTD_CORE_RANGE_CHECK_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/numerics.h"
#include "core/quantization.h"

namespace quantd::core {

// Returns INVALID_RANGE for a bound, "min" or "max", of `channel`. `complaint` continues
// a sentence about the range.
absl::Status InvalidRange(absl::string_view bound, std::size_t channel, float min, float max,
                          absl::string_view complaint);

// Errors: INVALID_RANGE for a bound that is NaN, infinite, or subnormal and not 0; for
// min > max; for min == max where `arithmetic` has no such range.
absl::Status CheckBounds(float min, float max, const RangeArithmetic& arithmetic,
                         std::size_t channel);

// Errors: RANGE_SIZE_MISMATCH if there are not as many values of min as of max.
absl::Status CheckSizes(const Range& range);

}  // namespace quantd::core

#endif  // QUANTD_CORE_RANGE_CHECK_H_
