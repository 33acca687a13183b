// Holds the kernels of every numerics to the reference: with random parameters, for
// inputs on the ties between codes and next to them, in tensors of any layout, on every
// SIMD target, with any number of threads, and in pieces.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/base/float16.h"
#include "core/fake_quantization.h"
#include "core/numerics.h"
#include "core/parameter_layout.h"
#include "core/quantizer.h"
#include "core/reference.h"
#include "core/simd_target.h"
#include "core/support.h"
#include "tests/core/pieces.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"

namespace quantd::core {
namespace {

// A tensor and parameters of one numerics.
struct Problem {
  std::vector<std::int64_t> shape;
  std::vector<float> inputs;
  std::vector<float> gradients;
  // Either a range or scales.
  bool by_range = true;
  std::vector<float> min;
  std::vector<float> max;
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  std::optional<std::int32_t> axis;
  std::optional<std::uint32_t> block_size;
  QuantizationSpec spec;

  QuantizationParameters parameters() const {
    if (by_range) {
      return Range{.min = min, .max = max, .axis = axis};
    }
    return AffineParameters{
        .scale = scale, .zero_point = zero_point, .axis = axis, .block_size = block_size};
  }
};

// Makes problems of a numerics for codes of a type.
class ProblemMaker {
 public:
  ProblemMaker(Numerics numerics, ParameterSource source, ElementType code_type, unsigned seed)
      : numerics_(numerics),
        support_(SupportOf(OperationKind::kFakeQuantize, numerics, source).has_value()
                     ? *SupportOf(OperationKind::kFakeQuantize, numerics, source)
                     : *SupportOf(OperationKind::kQuantize, numerics, source)),
        code_type_(code_type),
        random_(seed) {
    problem_.by_range = source == ParameterSource::kRange;
    problem_.spec.numerics = numerics;
  }

  Problem Make() {
    MakeShape();
    const std::size_t parameters = ParameterCount();
    problem_.by_range ? MakeRanges(parameters) : MakeScales(parameters);
    if (problem_.by_range) {
      MakeChoices();
    }
    MakeInputs();
    return problem_;
  }

 private:
  std::size_t UpTo(std::size_t limit) { return random_() % limit; }

  float Between(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }

  void MakeShape() {
    static const std::vector<std::vector<std::int64_t>> shapes = {
        {1}, {37}, {300}, {5, 7}, {40, 3}, {3, 70}, {2, 3, 5}, {4, 1100}, {2, 6, 64}, {6, 33, 2}};
    problem_.shape = shapes[UpTo(shapes.size())];
    if (support_.per_channel && UpTo(3) != 0) {
      problem_.axis = static_cast<std::int32_t>(UpTo(problem_.shape.size()));
      if (support_.blocks && UpTo(2) == 0) {
        problem_.block_size = static_cast<std::uint32_t>(1 + UpTo(40));
      }
    }
  }

  std::size_t ParameterCount() const {
    return MakeParameterLayout(problem_.shape, AxisOnly())->parameter_count();
  }
  QuantizationParameters AxisOnly() const {
    return AffineParameters{.scale = {}, .axis = problem_.axis, .block_size = problem_.block_size};
  }

  void MakeRanges(std::size_t count) {
    problem_.spec.num_bits =
        static_cast<std::uint32_t>(2 + UpTo(std::min<std::size_t>(15, RowOf(code_type_).bits - 1)));
    problem_.spec.narrow_range = RowOf(numerics_).range->has_narrow_range && UpTo(2) == 0;
    const float magnitude = std::ldexp(1.0F, static_cast<int>(UpTo(41)) - 20);
    for (std::size_t i = 0; i < count; ++i) {
      const float offset = UpTo(5) == 0 ? 4.0F : 0.0F;
      problem_.min.push_back(magnitude * (offset - Between(0.01F, 3)));
      problem_.max.push_back(magnitude * (offset + Between(0.01F, 3)));
      if (RowOf(numerics_).range->has_zero_range && UpTo(9) == 0) {
        problem_.min.back() = 0;
        problem_.max.back() = 0;
      }
    }
  }

  // What only some numerics leave to their callers.
  void MakeChoices() {
    const RangeArithmetic& arithmetic = *RowOf(numerics_).range;
    if (arithmetic.rule != RangeRule::kNudged && arithmetic.has_codes) {
      problem_.spec.num_bits.reset();
    }
    problem_.spec.signed_input = arithmetic.has_signed_input && UpTo(2) == 0;
    const auto rounding = static_cast<Rounding>(UpTo(3));
    if (arithmetic.roundings.contains(rounding)) {
      problem_.spec.rounding = rounding;
    }
    if (arithmetic.rule != RangeRule::kNudged) {
      FindCodes();
    }
  }

  // Finds where codes lie that do not follow from the range alone.
  void FindCodes() {
    const NudgedRange range =
        RowOf(numerics_).range->has_codes
            ? *Quantizer::Create(problem_.parameters(), problem_.spec,
                                 {ElementType::kFloat32, code_type_})
                   ->nudged_range()
            : *FakeQuantization::Create(problem_.parameters(), problem_.spec)->nudged_range();
    for (std::size_t i = 0; i < range.scale.size(); ++i) {
      scale_.push_back(range.scale[i]);
      lowest_.push_back(range.min[i]);
    }
  }

  void MakeScales(std::size_t count) {
    // kernels::InverseLow() is NaN for it.
    constexpr float kWithoutInverse = 13108363 * 0x1p-23F;
    const ElementTypeRow& row = RowOf(code_type_);
    // Some are too small or large to be divided by without a division.
    const int exponent =
        UpTo(4) == 0 ? static_cast<int>(UpTo(180)) - 90 : static_cast<int>(UpTo(21)) - 10;
    const bool has_zero_points =
        !RowOf(numerics_).affine->without_zero_point.contains(code_type_) && UpTo(4) != 0;
    const std::int64_t codes = std::int64_t{row.highest} - row.lowest + 1;
    for (std::size_t i = 0; i < count; ++i) {
      const float significand = UpTo(20) == 0 ? kWithoutInverse : Between(0.5F, 2);
      problem_.scale.push_back(std::ldexp(significand, exponent));
      problem_.zero_point.push_back(
          has_zero_points
              ? static_cast<std::int32_t>(row.lowest + static_cast<std::int64_t>(random_()) % codes)
              : 0);
    }
    problem_.spec.quant_min = row.lowest;
    problem_.spec.quant_max = row.highest;
  }

  void MakeInputs() {
    static constexpr float kSpecial[] = {0.0F,
                                         -0.0F,
                                         kInfinity,
                                         -kInfinity,
                                         kNaN,
                                         std::numeric_limits<float>::denorm_min(),
                                         1e-40F,
                                         -1e-40F,
                                         std::numeric_limits<float>::max(),
                                         -std::numeric_limits<float>::max()};
    std::size_t count = 1;
    for (const std::int64_t size : problem_.shape) {
      count *= static_cast<std::size_t>(size);
    }
    const ParameterLayout layout = *MakeParameterLayout(problem_.shape, problem_.parameters());
    for (std::size_t i = 0; i < count; ++i) {
      problem_.inputs.push_back(UpTo(25) == 0 ? kSpecial[UpTo(std::size(kSpecial))]
                                              : NearATie(layout.ParameterOf(i)));
      problem_.gradients.push_back(UpTo(40) == 0 ? kSpecial[UpTo(4)] : Between(-2, 2));
    }
  }

  // A value near the middle between two codes, of those that there are and beyond.
  float NearATie(std::size_t parameter) {
    float scale = 1;
    float origin = 0;
    float steps = Between(-30, 30);
    if (problem_.by_range) {
      const std::size_t bits =
          problem_.spec.num_bits.value_or(static_cast<std::uint32_t>(RowOf(code_type_).bits));
      const auto levels = static_cast<float>((1U << bits) - 1);
      scale = (problem_.max[parameter] - problem_.min[parameter]) / levels;
      origin = problem_.min[parameter];
      if (!scale_.empty()) {
        scale = scale_[parameter];
        origin = lowest_[parameter];
      }
      steps = Between(-0.1F, 1.1F) * levels;
    } else {
      scale = problem_.scale[parameter];
      const double codes = 1.0 + RowOf(code_type_).highest - RowOf(code_type_).lowest;
      steps = static_cast<float>(std::min(codes, 70000.0)) * Between(-1.1F, 1.1F);
    }
    const float value = origin + (std::floor(steps) + 0.5F) * scale;
    const auto neighbour = static_cast<std::int32_t>(UpTo(5)) - 2;
    float moved = value;
    for (std::int32_t i = 0; i < std::abs(neighbour); ++i) {
      moved = std::nextafter(moved, neighbour < 0 ? -kInfinity : kInfinity);
    }
    return UpTo(3) == 0 ? origin + steps * scale : moved;
  }

  const Numerics numerics_;
  const Support support_;
  const ElementType code_type_;
  std::mt19937 random_;
  Problem problem_;
  // Of each channel, where FindCodes() has found them.
  std::vector<float> scale_;
  std::vector<float> lowest_;
};

// Codes as bytes, unpacked.
std::vector<std::int32_t> CodesIn(const std::vector<std::byte>& bytes, ElementType type,
                                  std::size_t count) {
  std::vector<std::int32_t> codes(count);
  const ElementTypeRow& row = RowOf(type);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t bits = 0;
    if (row.bits >= 8) {
      std::memcpy(&bits, bytes.data() + i * row.bits / 8, row.bits / 8);
    } else {
      const std::size_t per_byte = 8 / row.bits;
      bits = std::to_integer<std::uint32_t>(bytes[i / per_byte]) >> (i % per_byte * row.bits) &
             ((1U << row.bits) - 1);
    }
    const std::uint32_t sign = row.lowest < 0 && row.bits < 32 ? 1U << (row.bits - 1) : 0;
    codes[i] = static_cast<std::int32_t>((bits ^ sign) - sign);
  }
  return codes;
}

TensorView ViewOf(const Problem& problem, const std::vector<float>& elements) {
  return {problem.shape, std::span<const float>(elements)};
}

std::vector<float> FakeQuantized(const Problem& problem, const TensorView& view,
                                 WorkerPool* pool = nullptr) {
  const auto quantization = FakeQuantization::Create(problem.parameters(), problem.spec);
  EXPECT_TRUE(quantization.ok()) << quantization.status();
  std::vector<float> output(problem.inputs.size());
  EXPECT_TRUE(quantization->Apply(view, std::span(output), pool).ok());
  return output;
}

// Returns the bytes of the codes, or nothing if NaN has no code.
std::optional<std::vector<std::byte>> Quantized(const Problem& problem, ElementType type,
                                                const TensorView& view,
                                                WorkerPool* pool = nullptr) {
  const auto quantizer =
      Quantizer::Create(problem.parameters(), problem.spec, {ElementType::kFloat32, type});
  EXPECT_TRUE(quantizer.ok()) << quantizer.status();
  std::vector<std::byte> bytes(ElementBytes(type, problem.inputs.size()));
  const OutputView output(type, bytes.data(), problem.inputs.size());
  const absl::Status status = quantizer->Apply(view, output, pool);
  return status.ok() ? std::optional(bytes) : std::nullopt;
}

std::vector<float> Dequantized(const Problem& problem, ElementType type,
                               const std::vector<std::byte>& bytes) {
  const auto dequantizer =
      Dequantizer::Create(problem.parameters(), problem.spec, {type, ElementType::kFloat32});
  EXPECT_TRUE(dequantizer.ok()) << dequantizer.status();
  std::vector<float> output(problem.inputs.size());
  const TensorView codes(type, problem.shape, ScatteredBytes(bytes));
  EXPECT_TRUE(dequantizer->Apply(codes, std::span(output), nullptr).ok());
  return output;
}

struct NumericsCase {
  Numerics numerics;
  ParameterSource source;
  ElementType code_type;
};

std::vector<NumericsCase> AllCases() {
  std::vector<NumericsCase> cases;
  for (const NumericsRow& row : kNumericsTable) {
    for (const ParameterSource source : {ParameterSource::kRange, ParameterSource::kAffine}) {
      const auto support = SupportOf(OperationKind::kQuantize, row.numerics, source);
      if (!support.has_value() &&
          SupportOf(OperationKind::kFakeQuantize, row.numerics, source).has_value()) {
        // It has no codes; as many values as codes of this type.
        cases.push_back({row.numerics, source, ElementType::kUint16});
      }
      for (const ElementTypeRow& type : kElementTypeTable) {
        if (support.has_value() && support->output_types.contains(type.type)) {
          cases.push_back({row.numerics, source, type.type});
        }
      }
    }
  }
  return cases;
}

class EveryNumerics : public testing::TestWithParam<NumericsCase> {
 protected:
  static constexpr unsigned kProblems = 12;

  void TearDown() override { ASSERT_TRUE(ForceSimdTarget("").ok()); }

  static Problem MakeProblem(unsigned seed) {
    return ProblemMaker(GetParam().numerics, GetParam().source, GetParam().code_type, seed).Make();
  }

  static bool Has(OperationKind operation) {
    return SupportOf(operation, GetParam().numerics, GetParam().source).has_value();
  }
  // Fake quantization has no codes of 32 bits.
  static bool HasFakeQuantization() {
    return GetParam().code_type != ElementType::kInt32 && Has(OperationKind::kFakeQuantize);
  }
  static bool HasCodes() { return Has(OperationKind::kQuantize); }
};

TEST_P(EveryNumerics, FakeQuantizesAsTheReferenceOnEveryTarget) {
  if (!HasFakeQuantization()) {
    return;
  }
  for (unsigned seed = 0; seed < kProblems; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = MakeProblem(seed);
    const auto expected =
        reference::FakeQuantize(problem.shape, problem.inputs, problem.parameters(), problem.spec);
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (const std::string& target : SupportedSimdTargets()) {
      SCOPED_TRACE(target);
      ASSERT_TRUE(ForceSimdTarget(target).ok());
      ASSERT_TRUE(SameBits(FakeQuantized(problem, ViewOf(problem, problem.inputs)), *expected));
    }
  }
}

TEST_P(EveryNumerics, QuantizesAndDequantizesAsTheReferenceOnEveryTarget) {
  const ElementType type = GetParam().code_type;
  if (!HasCodes()) {
    return;
  }
  for (unsigned seed = 0; seed < kProblems; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = MakeProblem(seed);
    if (seed % 2 == 0) {
      // Not all of it is refused for want of a code.
      std::ranges::replace_if(
          problem.inputs, [](float x) { return std::isnan(x); }, -0.5F);
    }
    const auto codes = reference::Quantize(problem.shape, problem.inputs, problem.parameters(),
                                           problem.spec, type);
    for (const std::string& target : SupportedSimdTargets()) {
      SCOPED_TRACE(target);
      ASSERT_TRUE(ForceSimdTarget(target).ok());
      const auto bytes = Quantized(problem, type, ViewOf(problem, problem.inputs));
      ASSERT_EQ(bytes.has_value(), codes.ok()) << codes.status();
      if (!codes.ok()) {
        continue;
      }
      ASSERT_EQ(CodesIn(*bytes, type, problem.inputs.size()), *codes);
      const auto values =
          reference::Dequantize(problem.shape, *codes, problem.parameters(), problem.spec, type);
      ASSERT_TRUE(values.ok()) << values.status();
      ASSERT_TRUE(SameBits(Dequantized(problem, type, *bytes), *values));
    }
  }
}

TEST_P(EveryNumerics, GivesTheSameValuesByCodeAndInOneStep) {
  const ElementType type = GetParam().code_type;
  if (!HasFakeQuantization() || !HasCodes()) {
    return;
  }
  for (unsigned seed = 100; seed < 100 + kProblems; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = MakeProblem(seed);
    std::ranges::replace_if(
        problem.inputs, [](float x) { return std::isnan(x); }, 0.5F);
    const auto bytes = Quantized(problem, type, ViewOf(problem, problem.inputs));
    ASSERT_TRUE(bytes.has_value());
    ASSERT_TRUE(SameBits(Dequantized(problem, type, *bytes),
                         FakeQuantized(problem, ViewOf(problem, problem.inputs))));
  }
}

TEST_P(EveryNumerics, GivesTheSameBitsInPiecesAndOnThreads) {
  const ElementType type = GetParam().code_type;
  WorkerPool pool(3);
  for (unsigned seed = 200; seed < 200 + kProblems; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = MakeProblem(seed);
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 3 + seed % 5; cut < problem.inputs.size() * 4; cut += 1 + cut / 3) {
      cuts.push_back(cut);
    }
    const Pieces pieces(problem.inputs, cuts);
    const TensorView whole = ViewOf(problem, problem.inputs);
    const TensorView cut(ElementType::kFloat32, problem.shape, pieces.bytes());
    if (HasCodes()) {
      ASSERT_EQ(Quantized(problem, type, cut, &pool), Quantized(problem, type, whole));
    }
    if (HasFakeQuantization()) {
      ASSERT_TRUE(SameBits(FakeQuantized(problem, cut, &pool), FakeQuantized(problem, whole)));
    }
  }
}

TEST_P(EveryNumerics, DifferentiatesAsTheReferenceOnEveryTarget) {
  if (!HasFakeQuantization() || !Has(OperationKind::kFakeQuantizeGradient)) {
    return;
  }
  for (unsigned seed = 0; seed < kProblems; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = MakeProblem(seed);
    problem.block_size.reset();
    const auto expected = reference::FakeQuantizeGradient(
        problem.shape, problem.gradients, problem.inputs, problem.parameters(), problem.spec);
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (const std::string& target : SupportedSimdTargets()) {
      SCOPED_TRACE(target);
      ASSERT_TRUE(ForceSimdTarget(target).ok());
      const auto gradient = FakeQuantization::CreateForGradient(problem.parameters(), problem.spec);
      ASSERT_TRUE(gradient.ok()) << gradient.status();
      std::vector<float> input(problem.inputs.size());
      std::vector<float> min(expected->min.size());
      std::vector<float> max(expected->max.size());
      const absl::Status status = gradient->ApplyGradient(
          ViewOf(problem, problem.gradients), ViewOf(problem, problem.inputs),
          {.input = std::span(input), .min = min, .max = max}, nullptr);
      ASSERT_TRUE(status.ok()) << status;
      ASSERT_TRUE(SameBits(input, expected->input));
      for (std::size_t i = 0; i < min.size(); ++i) {
        ASSERT_EQ(std::isnan(min[i]), std::isnan(expected->min[i]));
        ASSERT_EQ(std::isnan(max[i]), std::isnan(expected->max[i]));
        if (std::isfinite(expected->min[i]) && std::isfinite(expected->max[i])) {
          ASSERT_NEAR(min[i], expected->min[i], 1e-6 * std::abs(expected->min[i]) + 1e-9);
          ASSERT_NEAR(max[i], expected->max[i], 1e-6 * std::abs(expected->max[i]) + 1e-9);
        }
      }
    }
  }
}

template <typename T>
std::vector<T> Narrowed(const std::vector<float>& values) {
  std::vector<T> narrow;
  for (const float value : values) {
    narrow.push_back(FromFloat<T>(value));
  }
  return narrow;
}
template <typename T>
std::vector<float> Widened(const std::vector<T>& values) {
  std::vector<float> wide;
  for (const T value : values) {
    wide.push_back(ToFloat(value));
  }
  return wide;
}

// Computes in float32 and rounds once.
template <typename T>
void ExpectNarrowFloats(const Problem& original) {
  Problem problem = original;
  const std::vector<T> inputs = Narrowed<T>(problem.inputs);
  problem.inputs = Widened(inputs);
  const TensorView view(kElementTypeOf<T>, problem.shape,
                        ScatteredBytes(std::as_bytes(std::span(inputs))));
  const auto expected =
      reference::FakeQuantize(problem.shape, problem.inputs, problem.parameters(), problem.spec);
  const auto quantization =
      FakeQuantization::Create(problem.parameters(), problem.spec, kElementTypeOf<T>);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  std::vector<T> output(inputs.size());
  const OutputView output_view(kElementTypeOf<T>, output.data(), output.size());
  ASSERT_TRUE(quantization->Apply(view, output_view, nullptr).ok());
  ASSERT_TRUE(SameBits(Widened(output), Widened(Narrowed<T>(*expected))));
}

// Gives the codes of the elements widened.
template <typename T>
void ExpectCodesOfNarrowFloats(const Problem& original, ElementType code_type) {
  Problem problem = original;
  const std::vector<T> inputs = Narrowed<T>(problem.inputs);
  problem.inputs = Widened(inputs);
  const TensorView view(kElementTypeOf<T>, problem.shape,
                        ScatteredBytes(std::as_bytes(std::span(inputs))));
  const auto quantizer =
      Quantizer::Create(problem.parameters(), problem.spec, {kElementTypeOf<T>, code_type});
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  std::vector<std::byte> bytes(ElementBytes(code_type, inputs.size()));
  const OutputView codes(code_type, bytes.data(), inputs.size());
  const bool has_codes = quantizer->Apply(view, codes, nullptr).ok();
  const auto whole = Quantized(problem, code_type, ViewOf(problem, problem.inputs));
  ASSERT_EQ(has_codes, whole.has_value());
  if (has_codes) {
    ASSERT_EQ(bytes, *whole);
  }
}

TEST_P(EveryNumerics, ComputesNarrowFloatsInFloat32) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = MakeProblem(seed);
    for (const std::string& target : SupportedSimdTargets()) {
      SCOPED_TRACE(target);
      ASSERT_TRUE(ForceSimdTarget(target).ok());
      if (HasFakeQuantization()) {
        ExpectNarrowFloats<Float16>(problem);
        ExpectNarrowFloats<BFloat16>(problem);
      }
      if (HasCodes()) {
        ExpectCodesOfNarrowFloats<Float16>(problem, GetParam().code_type);
        ExpectCodesOfNarrowFloats<BFloat16>(problem, GetParam().code_type);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, EveryNumerics, testing::ValuesIn(AllCases()),
                         [](const testing::TestParamInfo<NumericsCase>& parameter) {
                           const NumericsCase& value = parameter.param;
                           return std::string(RowOf(value.numerics).name) +
                                  (value.source == ParameterSource::kRange ? "_range_"
                                                                           : "_scale_") +
                                  std::string(RowOf(value.code_type).name);
                         });

}  // namespace
}  // namespace quantd::core
