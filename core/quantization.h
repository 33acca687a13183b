// The vocabulary of quantization: parameters, specs and nudged ranges.

#ifndef QUANTD_CORE_QUANTIZATION_H_
#define QUANTD_CORE_QUANTIZATION_H_

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "core/base/element_type.h"
#include "core/base/numerics.h"
#include "core/base/rounding.h"

namespace quantd::core {

inline constexpr std::uint32_t kMinNumBits = 2;
inline constexpr std::uint32_t kMaxNumBits = 16;
inline constexpr std::uint32_t kDefaultNumBits = 8;

// The codes of a quantization, and how values are rounded to them.
struct QuantizationSpec {
  // The width of a code, kMinNumBits..kMaxNumBits. If absent, kDefaultNumBits for a
  // fake quantization, and the width of the codes' type otherwise.
  std::optional<std::uint32_t> num_bits = {};
  // Leaves the lowest code out, so that symmetric ranges have symmetric codes.
  bool narrow_range = false;
  // If absent, kTensorFlow with a range, and kOnnx with a scale.
  std::optional<Numerics> numerics = {};
  // The lowest and the highest code, instead of num_bits and narrow_range. Both or
  // neither, and only with a scale.
  std::optional<std::int32_t> quant_min = {};
  std::optional<std::int32_t> quant_max = {};
  // The type in which kOnnx computes x / scale: kFloat32, or the input's type if that is
  // kFloat16 or kBFloat16. If absent, kFloat32.
  std::optional<ElementType> precision = {};
  // Whether the codes lie on both sides of zero. Only with
  // kTensorFlowQuantizeAndDequantize.
  bool signed_input = false;
  // Only with a numerics that has a choice. If absent, its producer's default.
  std::optional<Rounding> rounding = {};
};

// The real interval that the codes stand for: one for the whole tensor without an
// axis, and otherwise one for each index along the axis. Does not own the values.
struct Range {
  // As many values of one as of the other.
  std::span<const float> min;
  std::span<const float> max;
  // -rank..rank-1; a negative axis counts from the last dimension.
  std::optional<std::int32_t> axis = {};
};

// Code q stands for (q - zero_point) * scale. Does not own the values.
struct AffineParameters {
  std::span<const float> scale;
  // As many as `scale`, or none for zeros.
  std::span<const std::int32_t> zero_point = {};
  // As in Range.
  std::optional<std::int32_t> axis = {};
  // How many neighbouring elements along the axis share parameters; these are then in
  // C order of the tensor's shape with that dimension divided by this, rounded up.
  std::optional<std::uint32_t> block_size = {};
};

using QuantizationParameters = std::variant<Range, AffineParameters>;

// Parameters that are computed from the data: see Quantizer::CreateFromData().
struct DataRange {
  // From -max|x| to max|x|.
  bool symmetric = false;
  std::optional<std::int32_t> axis = {};
  std::optional<std::uint32_t> block_size = {};
};

// The lowest and the highest code.
struct CodeRange {
  std::int32_t min = 0;
  std::int32_t max = 0;

  // The number of steps between them.
  std::int64_t levels() const { return std::int64_t{max} - min; }
};

// One value per channel, without an allocation for the one channel of a whole tensor.
template <typename T>
using PerChannel = absl::InlinedVector<T, 1>;

// Ranges that were nudged so that a code stands for exactly zero; one value per
// channel. Code q stands for (q - zero_point) * scale. A channel with
// min == max == 0 has 0 as min, max and scale, and the lowest code as zero point.
// With TensorFlow's QuantizeV2, min and max are its output_min and output_max, and no
// code needs to stand for exactly zero: zero_point is the code of zero.
struct NudgedRange {
  PerChannel<float> min;
  PerChannel<float> max;
  PerChannel<float> scale;
  // Of codes 0..2^num_bits-1.
  PerChannel<std::int32_t> zero_point;
};

// Scale and zero point of codes; one value per channel or block.
struct UsedParameters {
  PerChannel<float> scale;
  PerChannel<std::int32_t> zero_point;
  std::optional<std::int32_t> axis;
  std::optional<std::uint32_t> block_size;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_QUANTIZATION_H_
