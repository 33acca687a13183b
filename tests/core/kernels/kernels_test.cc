// Calls every kernel directly and compares it with the reference: for all sizes
// around the width of a vector, all alignments and special values, on every SIMD
// target.

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "core/kernels/gradient.h"
#include "core/kernels/inverse.h"
#include "core/kernels/partial_sums.h"
#include "core/kernels/quantize.h"
#include "core/numerics.h"
#include "core/operations/quantization_plan.h"
#include "core/quantization.h"
#include "core/reference.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/core/special_values.h"

namespace quantd::core::kernels {
namespace {

constexpr float kMin = -1.3F;
constexpr float kMax = 2.1F;
constexpr float kCanary = 12345.0F;
constexpr GradientMask kMask = GradientMask::kProduct;

std::vector<float> Values(std::size_t count, unsigned seed) {
  const std::vector<float> special = {0.0F,
                                      -0.0F,
                                      kInfinity,
                                      -kInfinity,
                                      std::numeric_limits<float>::quiet_NaN(),
                                      std::numeric_limits<float>::denorm_min(),
                                      -std::numeric_limits<float>::max(),
                                      std::numeric_limits<float>::max(),
                                      kMin,
                                      kMax};
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1.5);
  std::vector<float> values(count);
  for (float& value : values) {
    const std::size_t pick = random() % 60;
    value = pick < special.size() ? special[pick] : normal(random);
  }
  return values;
}

// Returns finite gradients, whose sums can be compared.
std::vector<float> FiniteValues(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) {
    value = random() % 20 == 0 ? -0.0F : normal(random);
  }
  return values;
}

std::vector<std::size_t> Sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size <= 140; ++size) {
    sizes.push_back(size);
  }
  sizes.insert(sizes.end(), {1023, 1024, 4097});
  return sizes;
}

constexpr ConversionTypes kFloats = {ElementType::kFloat32, ElementType::kFloat32};

std::shared_ptr<const QuantizationPlan> PlanFor(float min, float max,
                                                const QuantizationSpec& spec) {
  return *QuantizationPlan::Create(OperationKind::kFakeQuantize,
                                   Range{.min = {&min, 1}, .max = {&max, 1}}, spec, kFloats);
}

// Quantizes a whole vector as one run.
void Quantize(const std::vector<float>& input, const QuantizationPlan& plan, Store store,
              float* output) {
  FakeQuantizeRun(RunArguments<float, float>{.input = input.data(),
                                             .count = input.size(),
                                             .channel = &plan.channel(0),
                                             .rules = &plan.rules(),
                                             .store = store,
                                             .output = output});
}

class Kernels : public EverySimdTarget {};

TEST_P(Kernels, QuantizeRunsOfAnySizeAtAnyAlignment) {
  const QuantizationSpec specs[] = {
      {.num_bits = 8, .narrow_range = false, .numerics = Numerics::kTensorFlow},
      {.num_bits = 5, .narrow_range = true, .numerics = Numerics::kTensorFlowArgs}};
  for (const QuantizationSpec& spec : specs) {
    const auto plan = PlanFor(kMin, kMax, spec);
    for (const std::size_t count : Sizes()) {
      const std::vector<float> input = Values(count, static_cast<unsigned>(count));
      const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(count)};
      const auto expected =
          reference::FakeQuantize(shape, input, Range{.min = {&kMin, 1}, .max = {&kMax, 1}}, spec);
      for (const Store store : {Store::kCached, Store::kStreaming}) {
        const std::size_t offset = count % 17;
        std::vector<float> output(offset + count + 1, kCanary);
        Quantize(input, *plan, store, output.data() + offset);
        EXPECT_TRUE(SameBits({output.data() + offset, count}, *expected)) << count;
        EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
      }
    }
  }
}

TEST_P(Kernels, QuantizeRunsInPlace) {
  const auto plan = PlanFor(kMin, kMax, {});
  for (const std::size_t count : Sizes()) {
    std::vector<float> in_place = Values(count, 7);
    std::vector<float> separate(count);
    Quantize(in_place, *plan, Store::kCached, separate.data());
    Quantize(in_place, *plan, Store::kStreaming, in_place.data());
    EXPECT_TRUE(SameBits(in_place, separate)) << count;
  }
}

// Differentiates a part of a run, which goes on in the same `sums`.
void Differentiate(std::span<const float> gradients, std::span<const float> inputs,
                   const ChannelBounds& bounds, Store store, float* output, PartialSums* sums) {
  GradientRun({.gradients = gradients.data(),
               .inputs = inputs.data(),
               .count = inputs.size(),
               .bounds = bounds,
               .mask = kMask,
               .flushes_subnormals = true,
               .store = store,
               .input_gradients = output,
               .sums = sums});
}

void ExpectSumsInTheirFixedOrder(float min, float max) {
  const ChannelBounds bounds = {.lower = min, .upper = max};
  for (const std::size_t count : Sizes()) {
    const std::vector<float> gradients = FiniteValues(count, 1);
    const std::vector<float> inputs = Values(count, 2);
    // The order that partial_sums.h promises, in plain code.
    double below[16] = {};
    double above[16] = {};
    std::vector<float> expected(count);
    for (std::size_t i = 0; i < count; ++i) {
      expected[i] = gradients[i] * (min <= inputs[i] && inputs[i] <= max ? 1.0F : 0.0F);
      below[i % 16] += inputs[i] < min ? gradients[i] : 0.0F;
      above[i % 16] += inputs[i] > max ? gradients[i] : 0.0F;
    }
    for (std::size_t distance = 8; distance > 0; distance /= 2) {
      for (std::size_t i = 0; i < distance; ++i) {
        below[i] += below[i + distance];
        above[i] += above[i + distance];
      }
    }
    std::vector<float> output(count + 1, kCanary);
    PartialSums partial_sums;
    const std::size_t part = count / 3 / kPartialSums * kPartialSums;
    const std::span<const float> all_gradients(gradients);
    const std::span<const float> all_inputs(inputs);
    Differentiate(all_gradients.first(part), all_inputs.first(part), bounds, Store::kCached,
                  output.data(), &partial_sums);
    Differentiate(all_gradients.subspan(part), all_inputs.subspan(part), bounds, Store::kStreaming,
                  output.data() + part, &partial_sums);
    const OutsideSums sums = AddPartialSums(partial_sums);
    EXPECT_TRUE(SameBits({output.data(), count}, expected)) << count;
    EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
    EXPECT_EQ(sums.below, below[0]) << count;
    EXPECT_EQ(sums.above, above[0]) << count;
  }
}

TEST_P(Kernels, SumRunsInTheirFixedOrder) { ExpectSumsInTheirFixedOrder(kMin, kMax); }

TEST_P(Kernels, KeepTheOrderOfSumsIfFewInputsLieOutside) { ExpectSumsInTheirFixedOrder(-10, 10); }

// Columns with different ranges, and their parameters. Each min is the negative of a
// random bound, times `min_factor`.
struct Columns {
  Columns(std::size_t count, const QuantizationSpec& spec, float min_factor = 1,
          OperationKind operation = OperationKind::kFakeQuantize) {
    std::mt19937 random(3);
    std::uniform_real_distribution<float> bound(0.5, 2);
    for (std::size_t column = 0; column < count; ++column) {
      min.push_back(-min_factor * bound(random));
      max.push_back(bound(random));
    }
    plan = *QuantizationPlan::Create(operation, Range{.min = min, .max = max, .axis = 1}, spec,
                                     kFloats);
    expanded = plan->ColumnsOf(0, count);
  }

  std::size_t count() const { return min.size(); }

  std::vector<float> min;
  std::vector<float> max;
  std::shared_ptr<const QuantizationPlan> plan;
  QuantizationPlan::Columns expanded;
};

// Quantizes whole rows.
void Quantize(const std::vector<float>& input, const Columns& columns, const Rules& rules,
              Store store, float* output) {
  FakeQuantizeColumns(ColumnsArguments<float, float>{.input = input.data(),
                                                     .rows = input.size() / columns.count(),
                                                     .columns = columns.count(),
                                                     .stride = columns.count(),
                                                     .parameters = columns.expanded.blocks.data(),
                                                     .rules = &rules,
                                                     .store = store,
                                                     .output = output});
}

TEST_P(Kernels, QuantizeAnyNumberOfColumns) {
  const QuantizationSpec spec{.num_bits = 6, .narrow_range = true, .numerics = {}};
  for (const std::size_t count : {1U, 3U, 15U, 16U, 17U, 48U, 64U, 143U, 300U, 1024U}) {
    const Columns columns(count, spec);
    for (const std::size_t rows : {0U, 1U, 3U, 4U, 5U, 9U}) {
      const std::vector<float> input = Values(rows * count, 5);
      const auto expected = reference::FakeQuantize(
          std::vector<std::int64_t>{static_cast<std::int64_t>(rows),
                                    static_cast<std::int64_t>(count)},
          input, Range{.min = columns.min, .max = columns.max, .axis = 1}, spec);
      for (const Store store : {Store::kCached, Store::kStreaming}) {
        std::vector<float> output(rows * count + 1, kCanary);
        Quantize(input, columns, columns.plan->rules(), store, output.data());
        EXPECT_TRUE(SameBits({output.data(), rows * count}, *expected)) << rows << " x " << count;
        EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
      }
    }
  }
}

// Makes columns whose kernels multiply fit for those that divide. Every other block has no
// inverses in two parts.
void DivideColumns(Columns& columns) {
  for (std::size_t column = 0; column < columns.count(); ++column) {
    ColumnParameters& block = columns.expanded.blocks[column / kMaxLanes];
    const float scale = block.scale[column % kMaxLanes];
    const float low =
        column / kMaxLanes % 2 == 0 ? InverseLow(scale) : std::numeric_limits<float>::quiet_NaN();
    block.inverse_scale[column % kMaxLanes] = 1 / scale;
    block.inverse_scale_low[column % kMaxLanes] = low;
    block.have_inverses &= !std::isnan(low);
  }
}

// Inputs halfway between two steps, in ranges that begin at 0, show the quotient.
TEST_P(Kernels, QuantizeColumnsAsRunsOfOneElementByEitherQuotient) {
  constexpr std::size_t kRows = 5;
  Columns columns(143, {}, /*min_factor=*/0);
  std::vector<float> input(kRows * columns.count());
  for (std::size_t i = 0; i < input.size(); ++i) {
    const float step = static_cast<float>(i % 255) + 0.5F;
    input[i] = step * columns.plan->channel(i % columns.count()).scale;
  }
  std::vector<std::vector<float>> outputs;
  for (const StepFormula step : {StepFormula::kMultiply, StepFormula::kDivide}) {
    if (step == StepFormula::kDivide) {
      DivideColumns(columns);
    }
    Rules rules = columns.plan->rules();
    rules.step = step;
    std::vector<float>& output = outputs.emplace_back(input.size());
    std::vector<float> expected(input.size());
    Quantize(input, columns, rules, Store::kCached, output.data());
    for (std::size_t i = 0; i < input.size(); ++i) {
      FakeQuantizeRun(
          RunArguments<float, float>{.input = &input[i],
                                     .count = 1,
                                     .channel = &columns.plan->channel(i % columns.count()),
                                     .rules = &rules,
                                     .store = Store::kCached,
                                     .output = &expected[i]});
    }
    EXPECT_TRUE(SameBits(output, expected));
  }
  EXPECT_FALSE(SameBits(outputs[0], outputs[1]));
}

TEST_P(Kernels, QuantizeColumnsInPlace) {
  constexpr std::size_t kRows = 9;
  for (const std::size_t count : {3U, 48U, 64U, 143U, 300U}) {
    const Columns columns(count, {});
    std::vector<float> in_place = Values(kRows * count, 7);
    std::vector<float> separate(in_place.size());
    Quantize(in_place, columns, columns.plan->rules(), Store::kCached, separate.data());
    Quantize(in_place, columns, columns.plan->rules(), Store::kStreaming, in_place.data());
    EXPECT_TRUE(SameBits(in_place, separate)) << count;
  }
}

void ExpectSumsRowByRow(const Columns& columns, std::size_t rows) {
  const std::size_t count = columns.count();
  const std::vector<float> gradients = FiniteValues(rows * count, 1);
  const std::vector<float> inputs = Values(rows * count, 2);
  std::vector<double> sums_below(count, 0.25);
  std::vector<double> sums_above(count, -0.25);
  std::vector<double> expected_below = sums_below;
  std::vector<double> expected_above = sums_above;
  std::vector<float> expected(rows * count);
  for (std::size_t i = 0; i < rows * count; ++i) {
    const std::size_t column = i % count;
    const bool below = inputs[i] < columns.plan->bounds(column).lower;
    const bool above = inputs[i] > columns.plan->bounds(column).upper;
    expected[i] = gradients[i] * (below || above || std::isnan(inputs[i]) ? 0.0F : 1.0F);
    expected_below[column] += below ? gradients[i] : 0.0F;
    expected_above[column] += above ? gradients[i] : 0.0F;
  }
  std::vector<float> output(rows * count + 1, kCanary);
  GradientColumns({.gradients = gradients.data(),
                   .inputs = inputs.data(),
                   .rows = rows,
                   .columns = count,
                   .stride = count,
                   .bounds = columns.expanded.bounds.data(),
                   .mask = kMask,
                   .flushes_subnormals = true,
                   .store = Store::kStreaming,
                   .input_gradients = output.data(),
                   .sums_below = sums_below.data(),
                   .sums_above = sums_above.data()});
  EXPECT_TRUE(SameBits({output.data(), rows * count}, expected)) << rows << " x " << count;
  EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
  EXPECT_EQ(sums_below, expected_below);
  EXPECT_EQ(sums_above, expected_above);
}

TEST_P(Kernels, SumColumnsRowByRow) {
  for (const std::size_t count : {1U, 3U, 16U, 17U, 64U, 143U, 300U}) {
    const Columns columns(count, {}, 1, OperationKind::kFakeQuantizeGradient);
    for (const std::size_t rows : {0U, 1U, 4U, 9U, 50U}) {
      ExpectSumsRowByRow(columns, rows);
    }
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(Kernels);

}  // namespace
}  // namespace quantd::core::kernels
