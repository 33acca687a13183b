// How much a quantization changed a tensor.

#ifndef QUANTD_CORE_ERROR_STATISTICS_H_
#define QUANTD_CORE_ERROR_STATISTICS_H_

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "core/quantization.h"

namespace quantd::core {

// The error of a quantized tensor against the original. Elements whose
// original is NaN or infinite count for nothing but `clipped_share`.
struct ErrorStatistics {
  // Signal to quantization noise ratio, 10 log10(Σx² / Σ(y-x)²), in dB.
  // Infinite without an error; NaN where the signal is zero too.
  double sqnr_db = 0;
  // The largest |y - x|; 0 for an empty tensor.
  double max_abs_error = 0;
  // The share of elements outside the nudged range, 0..1; 0 for an empty
  // tensor. Infinities count as clipped, NaN does not.
  double clipped_share = 0;
};

// Compares `quantized` with `original`, both of `shape`, which was quantized to
// `nudged_range` along `axis`. Sums are taken in double.
//
// Errors: those of MakeChannelLayout(); kInvalidArgument where a size does not
// fit the shape.
absl::StatusOr<ErrorStatistics> MeasureError(std::span<const std::int64_t> shape,
                                             std::span<const float> original,
                                             std::span<const float> quantized,
                                             const NudgedRange& nudged_range,
                                             std::optional<std::int32_t> axis);

}  // namespace quantd::core

#endif  // QUANTD_CORE_ERROR_STATISTICS_H_
