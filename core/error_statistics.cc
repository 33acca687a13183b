#include "core/error_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/tensor_shape.h"

namespace quantd::core {
namespace {

// The sums of one pass over the elements of a tensor.
struct Sums {
  double signal = 0;
  double noise = 0;
  double max_abs_error = 0;
  std::size_t clipped = 0;

  void AddRun(std::span<const float> original, std::span<const float> quantized, float lower,
              float upper) {
    for (std::size_t i = 0; i < original.size(); ++i) {
      const double x = original[i];
      clipped += static_cast<std::size_t>(x < lower || x > upper);
      if (!std::isfinite(x)) {
        continue;
      }
      const double error = quantized[i] - x;
      signal += x * x;
      noise += error * error;
      max_abs_error = std::max(max_abs_error, std::abs(error));
    }
  }
};

}  // namespace

absl::StatusOr<ErrorStatistics> MeasureError(std::span<const std::int64_t> shape,
                                             std::span<const float> original,
                                             std::span<const float> quantized,
                                             const NudgedRange& nudged_range,
                                             std::optional<std::int32_t> axis) {
  ASSIGN_OR_RETURN(const ChannelLayout layout, MakeChannelLayout(shape, axis));
  RETURN_IF_ERROR(CheckSize("original", original.size(), layout.element_count()));
  RETURN_IF_ERROR(CheckSize("quantized", quantized.size(), layout.element_count()));
  RETURN_IF_ERROR(CheckSize("nudged_range", nudged_range.min.size(), layout.channels));
  RETURN_IF_ERROR(CheckSize("nudged_range", nudged_range.max.size(), layout.channels));
  Sums sums;
  for (std::size_t run = 0; run < layout.outer * layout.channels; ++run) {
    const std::size_t channel = run % layout.channels;
    const std::size_t first = run * layout.inner;
    sums.AddRun(original.subspan(first, layout.inner), quantized.subspan(first, layout.inner),
                nudged_range.min[channel], nudged_range.max[channel]);
  }
  return ErrorStatistics{.sqnr_db = 10 * std::log10(sums.signal / sums.noise),
                         .max_abs_error = sums.max_abs_error,
                         .clipped_share = original.empty()
                                              ? 0
                                              : static_cast<double>(sums.clipped) /
                                                    static_cast<double>(original.size())};
}

}  // namespace quantd::core
