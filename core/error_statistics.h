// Measures how much a quantization changed a tensor.

#ifndef QUANTD_CORE_ERROR_STATISTICS_H_
#define QUANTD_CORE_ERROR_STATISTICS_H_

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "core/quantization.h"

namespace quantd::core {

// The error of a quantized tensor y against the original x. Elements whose original
// is NaN or infinite are left out of all figures but `clipped_share`.
struct ErrorStatistics {
  // The ratio of signal to quantization noise, 10 log10(Σx² / Σ(y-x)²), in dB.
  // Infinite without an error; NaN if the signal is zero too.
  double sqnr_db = 0;
  // The largest |y - x|; 0 for an empty tensor.
  double max_abs_error = 0;
  // The share of elements outside the nudged range, 0..1; 0 for an empty
  // tensor. Infinities count as clipped, NaN does not.
  double clipped_share = 0;
};

// Compares `quantized` with `original`, which was quantized to `nudged_range` along
// `axis`. Both have this shape. Sums are taken in double.
//
// Errors: those of MakeChannelLayout(); TENSOR_SIZE_MISMATCH if a size does not fit
// the shape.
absl::StatusOr<ErrorStatistics> MeasureError(std::span<const std::int64_t> shape,
                                             std::span<const float> original,
                                             std::span<const float> quantized,
                                             const NudgedRange& nudged_range,
                                             std::optional<std::int32_t> axis);

}  // namespace quantd::core

#endif  // QUANTD_CORE_ERROR_STATISTICS_H_
