// The vocabulary of quantization: ranges, specs and nudged ranges.

#ifndef QUANTD_CORE_QUANTIZATION_H_
#define QUANTD_CORE_QUANTIZATION_H_

#include <cstdint>
#include <optional>
#include <span>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"

namespace quantd::core {

inline constexpr std::uint32_t kMinNumBits = 2;
inline constexpr std::uint32_t kMaxNumBits = 16;

// Whose arithmetic to reproduce, bit for bit. core/numerics.h has a row for each.
enum class Numerics {
  // FakeQuantWithMinMaxVars without an axis: divides by the scale;
  // FakeQuantWithMinMaxVarsPerChannel with one: multiplies by its inverse.
  kTensorFlow,
  // FakeQuantWithMinMaxArgs: always multiplies by the inverse scale.
  kTensorFlowArgs,
};

// The codes of a quantization, and how values are rounded to them.
struct QuantizationSpec {
  // The width of a code, kMinNumBits..kMaxNumBits.
  std::uint32_t num_bits = 8;
  // Leaves code 0 out, so that symmetric ranges have symmetric codes.
  bool narrow_range = false;
  Numerics numerics = Numerics::kTensorFlow;

  // The lowest and the highest code.
  std::int32_t quant_min() const { return narrow_range ? 1 : 0; }
  std::int32_t quant_max() const { return (std::int32_t{1} << num_bits) - 1; }
  // The number of steps between them.
  std::int32_t levels() const { return quant_max() - quant_min(); }
};

// The real interval that the codes stand for: one for the whole tensor without an
// axis, and otherwise one for each index along the axis. Does not own the values.
struct Range {
  // As many values of one as of the other.
  std::span<const float> min;
  std::span<const float> max;
  // -rank..rank-1; a negative axis counts from the last dimension.
  std::optional<std::int32_t> axis;
};

// One value per channel, without an allocation for the one channel of a whole tensor.
template <typename T>
using PerChannel = absl::InlinedVector<T, 1>;

// Ranges that were nudged so that a code stands for exactly zero; one value per
// channel. Code q stands for (q - zero_point) * scale. A channel with
// min == max == 0 has 0 as min, max and scale, and the lowest code as zero point.
struct NudgedRange {
  PerChannel<float> min;
  PerChannel<float> max;
  PerChannel<float> scale;
  PerChannel<std::int32_t> zero_point;
};

// Nudges `range` as TensorFlow's Nudge() does (fake_quant_ops_functor.h), in
// float32, with each operation rounded once. Ignores the axis: min and max may
// have any size.
//
// Errors: INVALID_NUM_BITS; RANGE_SIZE_MISMATCH if min and max differ in size;
// INVALID_RANGE, which names the bound, if it is NaN, infinite, or subnormal and not
// 0; if min > max or min == max other than 0; if the scale is below 2 * FLT_MIN, its
// inverse is subnormal, or max - min of the nudged range is not finite.
absl::StatusOr<NudgedRange> Nudge(const Range& range, const QuantizationSpec& spec);

}  // namespace quantd::core

#endif  // QUANTD_CORE_QUANTIZATION_H_
