#include "core/range_check.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/decimal.h"

namespace quantd::core {
namespace {

absl::Status SizesDiffer(std::size_t min_size, std::size_t max_size) {
  return InvalidArgument(
      ErrorReason::kRangeSizeMismatch,
      absl::StrCat("range.min has ", min_size, " values and range.max has ", max_size,
                   "; expected as many of one as of the other: send one of each per channel"),
      {.field = "range.max",
       .metadata = {{"min_size", absl::StrCat(min_size)}, {"max_size", absl::StrCat(max_size)}}});
}

constexpr absl::string_view kSubnormalBound =
    "has an end that is not 0 but smaller than any normal float32; expected 0 or a normal "
    "float32, because frameworks take such a number for 0: send 0";

}  // namespace

absl::Status InvalidRange(absl::string_view bound, std::size_t channel, float min, float max,
                          absl::string_view complaint) {
  return InvalidArgument(
      ErrorReason::kInvalidRange,
      absl::StrCat("the range [", Decimal(min), ", ", Decimal(max), "] of channel ", channel, " ",
                   complaint),
      {.field = absl::StrCat("range.", bound, "[", channel, "]"),
       .metadata = {
           {"channel", absl::StrCat(channel)}, {"min", Decimal(min)}, {"max", Decimal(max)}}});
}

absl::Status CheckBounds(float min, float max, const RangeArithmetic& arithmetic,
                         std::size_t channel) {
  if (!std::isfinite(min)) {
    return InvalidRange("min", channel, min, max,
                        "has a lower end that is not finite; expected a finite float32: send the "
                        "smallest finite value of the data");
  }
  if (!std::isfinite(max)) {
    return InvalidRange("max", channel, min, max,
                        "has an upper end that is not finite; expected a finite float32: send the "
                        "largest finite value of the data");
  }
  if (min > max) {
    return InvalidRange("min", channel, min, max,
                        "has min above max; expected min < max: swap the two");
  }
  if (std::fpclassify(min) == FP_SUBNORMAL) {
    return InvalidRange("min", channel, min, max, kSubnormalBound);
  }
  if (std::fpclassify(max) == FP_SUBNORMAL) {
    return InvalidRange("max", channel, min, max, kSubnormalBound);
  }
  const bool is_allowed = arithmetic.has_empty_range || (min == 0 && arithmetic.has_zero_range);
  if (min == max && !is_allowed) {
    return InvalidRange("max", channel, min, max,
                        arithmetic.has_zero_range
                            ? "is empty; expected min < max, or both 0 for a channel of zeros: "
                              "widen the range to include 0"
                            : "is empty; expected min < max with this numerics, whose producer "
                              "gives NaN otherwise: widen the range");
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const Range& range) {
  return range.min.size() == range.max.size() ? absl::OkStatus()
                                              : SizesDiffer(range.min.size(), range.max.size());
}

}  // namespace quantd::core
