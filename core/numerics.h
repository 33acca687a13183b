// Whose arithmetic, as a table: one row of decisions for each Numerics. The kernels,
// the plans and the reference all read it, so that a decision is made here and
// nowhere else. The formulas themselves are in docs/numerics.md.

#ifndef QUANTD_CORE_NUMERICS_H_
#define QUANTD_CORE_NUMERICS_H_

#include <array>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>

#include "core/base/element_type.h"
#include "core/quantization.h"

namespace quantd::core {

// How a value becomes a whole number of steps: from the lowest code if the name says
// so, and otherwise from the zero point. `shifted` is the value within the nudged
// range, less its lower end; lowest_step is quant_min - zero_point.
enum class StepFormula {
  // floor(shifted / scale + lowest_step + 0.5)
  kDivide,
  // floor(shifted * inverse_scale + lowest_step + 0.5)
  kMultiply,
  // floor(fma(shifted, inverse_scale, lowest_step) + 0.5)
  kMultiplyFused,
  // floor(shifted * inverse_scale + 0.5)
  kFromLowest,
  // floor(fma(shifted, inverse_scale, 0.5))
  kFromLowestFused,
  // shifted * inverse_scale, rounded half away from zero
  kFromLowestHalfAway,
  // The value within the nudged range * inverse_scale, rounded as the name says. -0 stays
  // -0, unless it is rounded half up.
  kClampedHalfEven,
  kClampedHalfUp,
  kClampedHalfAway,
  // (max(x, lower_end) - lower_end) * inverse_scale, at most the number of steps, rounded
  // half up. The lower end need not be a whole number of steps from zero.
  kFromLowerEnd,
  // The same less half the number of codes, rounded half away from zero
  kFromLowerEndCentred,
  // x / scale within the codes, rounded half to even; NaN is the lowest
  kDivideHalfEven,
  // The same with x / scale rounded to float16 or bfloat16
  kDivideHalfEvenFloat16,
  kDivideHalfEvenBFloat16,
  // zero_point + (x * inverse_scale rounded half to even), within the codes; NaN and
  // what does not fit into 64 bits is the lowest
  kMultiplyHalfEven,
  // x / scale, rounded half away from zero and converted to 32 bits as x86 does it,
  // plus the zero point modulo 2^32, within the codes
  kDivideHalfAway,
  // x * inverse_scale within the codes, rounded half to even; NaN is the highest
  kMultiplyHalfEvenNanHighest,
  // floor(x * inverse_scale + 0.5), converted to 32 bits as x86 does it, plus the zero
  // point modulo 2^32, within the codes
  kMultiplyHalfUp,
};

// How a whole number of steps becomes a value.
enum class ValueFormula {
  // steps * scale
  kFromZero,
  // steps * scale + nudged_min
  kFromLowest,
  // fma(steps, scale, nudged_min)
  kFromLowestFused,
  // steps * scale + lower_end
  kFromLowerEnd,
};

constexpr ValueFormula ValueOf(StepFormula step) {
  switch (step) {
    case StepFormula::kFromLowest:
    case StepFormula::kFromLowestHalfAway:
      return ValueFormula::kFromLowest;
    case StepFormula::kFromLowestFused:
      return ValueFormula::kFromLowestFused;
    case StepFormula::kFromLowerEnd:
    case StepFormula::kFromLowerEndCentred:
      return ValueFormula::kFromLowerEnd;
    default:
      return ValueFormula::kFromZero;
  }
}

// Whether the formula divides by the scale, other than in 16 bits.
constexpr bool Divides(StepFormula step) {
  return step == StepFormula::kDivide || step == StepFormula::kDivideHalfEven ||
         step == StepFormula::kDivideHalfAway;
}

// Whether the formula is one of ranges.
constexpr bool IsOfRanges(StepFormula step) { return step <= StepFormula::kFromLowerEndCentred; }

// Whether the formula keeps the sign of a zero: it must compute with subnormal numbers
// flushed then, if the producer does.
constexpr bool KeepsZeroSign(StepFormula step) { return step == StepFormula::kClampedHalfEven; }

// Whether only codes are computed with the formula.
constexpr bool IsOfCodes(StepFormula step) {
  return step == StepFormula::kClampedHalfAway || step == StepFormula::kFromLowerEnd ||
         step == StepFormula::kFromLowerEndCentred;
}

// Whether only floats are computed with the formula.
constexpr bool IsOfFloats(StepFormula step) { return step == StepFormula::kClampedHalfUp; }

// Which codes a range has, and what these stand for.
enum class RangeRule {
  // The range is nudged so that a code stands for zero.
  kNudged,
  // TensorFlow's QuantizeAndDequantize: the end that needs more steps gives the scale,
  // and the other one follows from it.
  kQuantizeAndDequantize,
  // TensorFlow's QuantizeV2 and Dequantize, in the modes of these names.
  kMinCombined,
  kMinFirst,
  kScaled,
};

// How the scale of a range is computed.
enum class ScaleRule {
  // (max - min) / levels
  kDivide,
  // (max - min) * (1 / levels), with the quotient rounded
  kMultiplyByInverse,
  // kDivide for one channel, and kMultiplyByInverse for several
  kMultiplyByInverseForSeveral,
};

// How the inverse of the scale of a range is computed.
enum class InverseRule {
  // levels / (max - min)
  kFromRange,
  // 1 / scale
  kFromScale,
};

// How the code of zero, which is seldom a whole number, becomes one.
enum class ZeroPointRule {
  // To the nearest code; ties away from zero.
  kHalfAwayFromZero,
  // To the nearest code; ties to even.
  kHalfToEven,
};

// What a range gives for NaN.
enum class NanRule {
  kKept,
  // The lower end of the nudged range.
  kLowest,
};

// How the gradient of an input outside the nudged range is suppressed, and what the
// range gradients are sums of.
enum class GradientMask {
  // Times 1 or 0, so that -1 becomes -0, and infinity and NaN become NaN. Sums of
  // products.
  kProduct,
  // The gradient or +0. Sums of the gradients outside.
  kSelection,
  // The gradient or +0. Sums of the gradients outside and at the ends.
  kSelectionWithEnds,
};

// How a code of 32 bits, which a float32 cannot hold, becomes a distance from the zero
// point.
enum class Int32Difference {
  // Modulo 2^32; then rounded to float32.
  kWrapped,
  // The code is rounded to float32 and converted back, as x86 does it, before.
  kOfRounded,
  // Both are rounded to float32 before.
  kOfFloats,
};

struct RoundingRow {
  Rounding rounding;
  // As the schema has it, without a prefix.
  std::string_view name;
};

// The rows in the order of the enum.
inline constexpr std::array kRoundingTable = {
    RoundingRow{Rounding::kHalfToEven, "HALF_TO_EVEN"},
    RoundingRow{Rounding::kHalfUp, "HALF_UP"},
    RoundingRow{Rounding::kHalfAwayFromZero, "HALF_AWAY_FROM_ZERO"},
};

// The roundings that a numerics has.
class Roundings {
 public:
  constexpr Roundings() = default;
  // The default is the first one.
  constexpr Roundings(std::initializer_list<Rounding> roundings) : default_(*roundings.begin()) {
    for (const Rounding rounding : roundings) {
      bits_ |= Bit(rounding);
    }
  }

  constexpr bool contains(Rounding rounding) const { return (bits_ & Bit(rounding)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  // Only if there are any.
  constexpr Rounding default_rounding() const { return default_; }

 private:
  static constexpr unsigned Bit(Rounding rounding) { return 1U << static_cast<unsigned>(rounding); }

  unsigned bits_ = 0;
  Rounding default_ = Rounding::kHalfToEven;
};

// The arithmetic of a numerics by range.
struct RangeArithmetic {
  RangeRule rule = RangeRule::kNudged;
  StepFormula per_tensor;
  // Nothing if it has no channels.
  std::optional<StepFormula> per_channel;
  ScaleRule scale = ScaleRule::kDivide;
  InverseRule inverse = InverseRule::kFromRange;
  ZeroPointRule zero_point = ZeroPointRule::kHalfAwayFromZero;
  // That of the gradient.
  ZeroPointRule gradient_zero_point = ZeroPointRule::kHalfAwayFromZero;
  NanRule nan = NanRule::kKept;
  // Whether a single channel along an axis has InverseRule::kFromRange, and a zero point
  // that follows from min * levels / (max - min): XLA simplifies what it compiles then.
  bool simplifies_single_channel = false;
  // Whether the producer computes in flush-to-zero, which takes subnormal operands
  // and results for zeros of their sign.
  bool flushes_subnormals = true;
  // Whether min == max == 0 stands for a channel of zeros.
  bool has_zero_range = false;
  // Whether min == max is a range like any other.
  bool has_empty_range = false;
  bool has_narrow_range = true;
  // Nothing if it has no gradient.
  std::optional<GradientMask> gradient = {};
  bool has_range_gradients = true;
  // Whether the gradients of min and max are 0, whatever the inputs are.
  bool has_zero_range_gradients = false;
  bool has_fake_quantization = true;
  bool has_codes = true;
  // Whether it computes float64 tensors in double.
  bool has_float64 = false;
  // Whether codes may lie on both sides of zero without being of a signed type.
  bool has_signed_input = false;
  // Those to choose from; none without a choice.
  Roundings roundings = {};
};

// The arithmetic of a numerics by scale and zero point.
struct AffineArithmetic {
  StepFormula step;
  // The scales that it computes with.
  float min_scale = std::numeric_limits<float>::denorm_min();
  float max_scale = std::numeric_limits<float>::max();
  bool has_channels = true;
  bool has_blocks = false;
  // The types whose codes have no other zero point than 0.
  ElementTypes without_zero_point = {};
  bool has_gradient = false;
  // Whether scale and zero point may be computed from the data.
  bool has_dynamic_parameters = false;
  // Whether fake quantization computes float64 tensors in double.
  bool has_float64 = false;
  Int32Difference difference_per_tensor = Int32Difference::kWrapped;
  Int32Difference difference_per_channel = Int32Difference::kWrapped;
  // The types of codes.
  ElementTypes quantizes_to;
  ElementTypes dequantizes_from;

  constexpr Int32Difference difference(bool has_axis) const {
    return has_axis ? difference_per_channel : difference_per_tensor;
  }
};

struct NumericsRow {
  Numerics numerics;
  // As the schema has it, without a prefix.
  std::string_view name;
  std::optional<RangeArithmetic> range = {};
  std::optional<AffineArithmetic> affine = {};
};

// The smallest float whose inverse does not underflow, and the largest such.
inline constexpr float kMinNormalFloat = std::numeric_limits<float>::min();
inline constexpr float kMaxFloatWithNormalInverse = 1 / kMinNormalFloat;

// The rows in the order of the enum.
inline constexpr std::array kNumericsTable = {
    NumericsRow{.numerics = Numerics::kTensorFlow,
                .name = "TENSORFLOW",
                .range = RangeArithmetic{.per_tensor = StepFormula::kDivide,
                                         .per_channel = StepFormula::kMultiply,
                                         .has_zero_range = true,
                                         .gradient = GradientMask::kProduct}},
    NumericsRow{.numerics = Numerics::kTensorFlowArgs,
                .name = "TENSORFLOW_ARGS",
                .range = RangeArithmetic{.per_tensor = StepFormula::kMultiply,
                                         .per_channel = StepFormula::kMultiply,
                                         .has_zero_range = true,
                                         .gradient = GradientMask::kProduct}},
    NumericsRow{.numerics = Numerics::kTensorFlowXla,
                .name = "TENSORFLOW_XLA",
                .range = RangeArithmetic{.per_tensor = StepFormula::kFromLowestFused,
                                         .per_channel = StepFormula::kFromLowestFused,
                                         .scale = ScaleRule::kMultiplyByInverse,
                                         .inverse = InverseRule::kFromScale,
                                         .nan = NanRule::kLowest,
                                         .simplifies_single_channel = true,
                                         .gradient = GradientMask::kSelection}},
    NumericsRow{.numerics = Numerics::kTensorFlowXlaUnfused,
                .name = "TENSORFLOW_XLA_UNFUSED",
                .range = RangeArithmetic{.per_tensor = StepFormula::kFromLowest,
                                         .per_channel = StepFormula::kFromLowest,
                                         .scale = ScaleRule::kMultiplyByInverse,
                                         .inverse = InverseRule::kFromScale,
                                         .nan = NanRule::kLowest,
                                         .simplifies_single_channel = true,
                                         .gradient = GradientMask::kSelection}},
    NumericsRow{.numerics = Numerics::kTensorFlowXlaArgs,
                .name = "TENSORFLOW_XLA_ARGS",
                .range = RangeArithmetic{.per_tensor = StepFormula::kFromLowestFused,
                                         .per_channel = {},
                                         .zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient = GradientMask::kSelection,
                                         .has_range_gradients = false}},
    NumericsRow{.numerics = Numerics::kTensorFlowXlaArgsUnfused,
                .name = "TENSORFLOW_XLA_ARGS_UNFUSED",
                .range = RangeArithmetic{.per_tensor = StepFormula::kFromLowest,
                                         .per_channel = {},
                                         .zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient = GradientMask::kSelection,
                                         .has_range_gradients = false}},
    NumericsRow{.numerics = Numerics::kKerasJax,
                .name = "KERAS_JAX",
                .range = RangeArithmetic{.per_tensor = StepFormula::kMultiply,
                                         .per_channel = StepFormula::kMultiply,
                                         .scale = ScaleRule::kMultiplyByInverseForSeveral,
                                         .zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient_zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient = GradientMask::kSelectionWithEnds}},
    NumericsRow{.numerics = Numerics::kKerasJaxJit,
                .name = "KERAS_JAX_JIT",
                .range = RangeArithmetic{.per_tensor = StepFormula::kMultiplyFused,
                                         .per_channel = StepFormula::kMultiplyFused,
                                         .scale = ScaleRule::kMultiplyByInverse,
                                         .zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient_zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient = GradientMask::kSelectionWithEnds}},
    NumericsRow{.numerics = Numerics::kKerasJaxJitUnfused,
                .name = "KERAS_JAX_JIT_UNFUSED",
                .range = RangeArithmetic{.per_tensor = StepFormula::kMultiply,
                                         .per_channel = StepFormula::kMultiply,
                                         .scale = ScaleRule::kMultiplyByInverse,
                                         .zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient_zero_point = ZeroPointRule::kHalfToEven,
                                         .gradient = GradientMask::kSelectionWithEnds}},
    NumericsRow{.numerics = Numerics::kTensorFlowQuantizeAndDequantize,
                .name = "TENSORFLOW_QUANTIZE_AND_DEQUANTIZE",
                .range = RangeArithmetic{.rule = RangeRule::kQuantizeAndDequantize,
                                         .per_tensor = StepFormula::kClampedHalfEven,
                                         .per_channel = StepFormula::kClampedHalfEven,
                                         .has_empty_range = true,
                                         .gradient = GradientMask::kProduct,
                                         .has_zero_range_gradients = true,
                                         .has_codes = false,
                                         .has_float64 = true,
                                         .has_signed_input = true,
                                         .roundings = {Rounding::kHalfToEven, Rounding::kHalfUp}}},
    NumericsRow{.numerics = Numerics::kTensorFlowQuantizeV2MinCombined,
                .name = "TENSORFLOW_QUANTIZE_V2_MIN_COMBINED",
                .range = RangeArithmetic{.rule = RangeRule::kMinCombined,
                                         .per_tensor = StepFormula::kFromLowerEnd,
                                         .per_channel = StepFormula::kFromLowerEnd,
                                         .has_empty_range = true,
                                         .has_narrow_range = false,
                                         .has_fake_quantization = false}},
    NumericsRow{.numerics = Numerics::kTensorFlowQuantizeV2MinFirst,
                .name = "TENSORFLOW_QUANTIZE_V2_MIN_FIRST",
                .range = RangeArithmetic{.rule = RangeRule::kMinFirst,
                                         .per_tensor = StepFormula::kClampedHalfAway,
                                         .per_channel = {},
                                         .has_empty_range = true,
                                         .has_narrow_range = false,
                                         .has_fake_quantization = false}},
    NumericsRow{.numerics = Numerics::kTensorFlowQuantizeV2Scaled,
                .name = "TENSORFLOW_QUANTIZE_V2_SCALED",
                .range = RangeArithmetic{.rule = RangeRule::kScaled,
                                         .per_tensor = StepFormula::kClampedHalfAway,
                                         .per_channel = StepFormula::kClampedHalfAway,
                                         .has_empty_range = true,
                                         .has_fake_quantization = false,
                                         .roundings = {Rounding::kHalfAwayFromZero,
                                                       Rounding::kHalfToEven}}},
    NumericsRow{
        .numerics = Numerics::kOnnx,
        .name = "ONNX",
        .affine = AffineArithmetic{.step = StepFormula::kDivideHalfEven,
                                   .has_blocks = true,
                                   .without_zero_point = {ElementType::kInt32},
                                   .has_dynamic_parameters = true,
                                   .quantizes_to = {ElementType::kInt8, ElementType::kUint8,
                                                    ElementType::kInt16, ElementType::kUint16,
                                                    ElementType::kInt4, ElementType::kUint4,
                                                    ElementType::kInt2, ElementType::kUint2},
                                   .dequantizes_from = {ElementType::kInt8, ElementType::kUint8,
                                                        ElementType::kInt16, ElementType::kUint16,
                                                        ElementType::kInt32, ElementType::kInt4,
                                                        ElementType::kUint4, ElementType::kInt2,
                                                        ElementType::kUint2}}},
    NumericsRow{
        .numerics = Numerics::kPyTorch,
        .name = "PYTORCH",
        .affine = AffineArithmetic{.step = StepFormula::kMultiplyHalfEven,
                                   .has_gradient = true,
                                   .has_float64 = true,
                                   .difference_per_channel = Int32Difference::kOfFloats,
                                   .quantizes_to = {ElementType::kInt8, ElementType::kUint8,
                                                    ElementType::kInt32},
                                   .dequantizes_from = {ElementType::kInt8, ElementType::kUint8,
                                                        ElementType::kInt32}}},
    NumericsRow{
        .numerics = Numerics::kLiteRt,
        .name = "LITERT",
        .range = RangeArithmetic{.per_tensor = StepFormula::kFromLowestHalfAway,
                                 .per_channel = {},
                                 .inverse = InverseRule::kFromScale,
                                 .nan = NanRule::kLowest,
                                 .flushes_subnormals = false,
                                 .has_narrow_range = false},
        .affine = AffineArithmetic{.step = StepFormula::kDivideHalfAway,
                                   .without_zero_point = {ElementType::kInt16},
                                   .quantizes_to = {ElementType::kInt8, ElementType::kUint8,
                                                    ElementType::kInt16},
                                   .dequantizes_from = {ElementType::kInt8, ElementType::kUint8,
                                                        ElementType::kInt16}}},
    NumericsRow{
        .numerics = Numerics::kLiteRtXnnpack,
        .name = "LITERT_XNNPACK",
        .affine = AffineArithmetic{.step = StepFormula::kMultiplyHalfEvenNanHighest,
                                   .min_scale = 2.4e-38F,
                                   .max_scale = 8.5e37F,
                                   .has_channels = false,
                                   .quantizes_to = {ElementType::kInt8, ElementType::kUint8},
                                   .dequantizes_from = {ElementType::kInt8, ElementType::kUint8}}},
    NumericsRow{
        .numerics = Numerics::kTensorFlowUniform,
        .name = "TENSORFLOW_UNIFORM",
        .affine = AffineArithmetic{.step = StepFormula::kMultiplyHalfUp,
                                   .min_scale = 2 * kMinNormalFloat,
                                   .max_scale = kMaxFloatWithNormalInverse,
                                   .difference_per_tensor = Int32Difference::kOfRounded,
                                   .difference_per_channel = Int32Difference::kOfRounded,
                                   .quantizes_to = {ElementType::kInt8, ElementType::kInt32},
                                   .dequantizes_from = {ElementType::kInt8, ElementType::kInt32}}},
};

static_assert(
    [] {
      for (std::size_t i = 0; i < kNumericsTable.size(); ++i) {
        if (static_cast<std::size_t>(kNumericsTable[i].numerics) != i) {
          return false;
        }
      }
      return static_cast<std::size_t>(Numerics::kTensorFlowUniform) == kNumericsTable.size() - 1;
    }(),
    "kNumericsTable lists every numerics once, in the order of the enum");

constexpr const NumericsRow& RowOf(Numerics numerics) {
  return kNumericsTable[static_cast<std::size_t>(numerics)];
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_NUMERICS_H_
