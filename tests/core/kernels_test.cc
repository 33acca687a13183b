// Every kernel, called directly, against the reference: all sizes around the
// width of a vector, all alignments, special values, on every SIMD target.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "core/kernels/fake_quantize_kernels.h"
#include "core/kernels/gradient_kernels.h"
#include "core/quantization.h"
#include "core/reference.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"

namespace quantd::core::kernels {
namespace {

constexpr float kMin = -1.3F;
constexpr float kMax = 2.1F;
constexpr float kCanary = 12345.0F;

std::vector<float> Values(std::size_t count, unsigned seed) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
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

// Gradients are finite, so that sums can be compared.
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

ChannelParameters Parameters(float min, float max, const QuantizationSpec& spec) {
  const NudgedRange nudged = *Nudge({.min = {&min, 1}, .max = {&max, 1}, .axis = {}}, spec);
  return {.nudged_min = nudged.min[0],
          .nudged_max = nudged.max[0],
          .scale = nudged.scale[0],
          .inverse_scale = static_cast<float>(spec.levels()) / (max - min),
          .lowest_step = static_cast<float>(spec.quant_min() - nudged.zero_point[0])};
}

class Kernels : public EverySimdTarget {};

TEST_P(Kernels, QuantizeRunsOfAnySizeAtAnyAlignment) {
  const QuantizationSpec specs[] = {
      {.num_bits = 8, .narrow_range = false, .numerics = Numerics::kTensorFlow},
      {.num_bits = 5, .narrow_range = true, .numerics = Numerics::kTensorFlowArgs}};
  for (const QuantizationSpec& spec : specs) {
    const ChannelParameters parameters = Parameters(kMin, kMax, spec);
    const Rounding rounding = spec.numerics == Numerics::kTensorFlow
                                  ? Rounding::kDivideByScale
                                  : Rounding::kMultiplyByInverseScale;
    for (const std::size_t count : Sizes()) {
      const std::vector<float> input = Values(count, static_cast<unsigned>(count));
      const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(count)};
      const auto expected = reference::FakeQuantize(
          shape, input, {.min = {&kMin, 1}, .max = {&kMax, 1}, .axis = {}}, spec);
      for (const Store store : {Store::kCached, Store::kStreaming}) {
        const std::size_t offset = count % 17;
        std::vector<float> output(offset + count + 1, kCanary);
        FakeQuantizeRun(input.data(), count, parameters, rounding, store, output.data() + offset);
        EXPECT_TRUE(SameBits({output.data() + offset, count}, *expected)) << count;
        EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
      }
    }
  }
}

TEST_P(Kernels, QuantizeRunsInPlace) {
  const QuantizationSpec spec;
  for (const std::size_t count : Sizes()) {
    const std::vector<float> input = Values(count, 7);
    std::vector<float> separate(count);
    std::vector<float> in_place = input;
    const ChannelParameters parameters = Parameters(kMin, kMax, spec);
    FakeQuantizeRun(input.data(), count, parameters, Rounding::kDivideByScale, Store::kCached,
                    separate.data());
    FakeQuantizeRun(in_place.data(), count, parameters, Rounding::kDivideByScale, Store::kStreaming,
                    in_place.data());
    EXPECT_TRUE(SameBits(in_place, separate)) << count;
  }
}

void ExpectSumsInTheirFixedOrder(float min, float max) {
  for (const std::size_t count : Sizes()) {
    const std::vector<float> gradients = FiniteValues(count, 1);
    const std::vector<float> inputs = Values(count, 2);
    // The order that the header promises, in plain code.
    double min_sums[16] = {};
    double max_sums[16] = {};
    std::vector<float> expected(count);
    for (std::size_t i = 0; i < count; ++i) {
      expected[i] = gradients[i] * (min <= inputs[i] && inputs[i] <= max ? 1.0F : 0.0F);
      min_sums[i % 16] += inputs[i] < min ? gradients[i] : 0.0F;
      max_sums[i % 16] += inputs[i] > max ? gradients[i] : 0.0F;
    }
    for (std::size_t distance = 8; distance > 0; distance /= 2) {
      for (std::size_t i = 0; i < distance; ++i) {
        min_sums[i] += min_sums[i + distance];
        max_sums[i] += max_sums[i + distance];
      }
    }
    std::vector<float> output(count + 1, kCanary);
    PartialSums partial_sums;
    const std::size_t first_part = count / 3 / kPartialSums * kPartialSums;
    GradientRun(gradients.data(), inputs.data(), first_part, min, max, Store::kCached,
                output.data(), partial_sums);
    GradientRun(gradients.data() + first_part, inputs.data() + first_part, count - first_part, min,
                max, Store::kStreaming, output.data() + first_part, partial_sums);
    const RangeGradients sums = AddPartialSums(partial_sums);
    EXPECT_TRUE(SameBits({output.data(), count}, expected)) << count;
    EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
    EXPECT_EQ(sums.min, min_sums[0]) << count;
    EXPECT_EQ(sums.max, max_sums[0]) << count;
  }
}

TEST_P(Kernels, SumRunsInTheirFixedOrder) { ExpectSumsInTheirFixedOrder(kMin, kMax); }

TEST_P(Kernels, SumRunsOfWhichFewLieOutsideInTheSameOrder) { ExpectSumsInTheirFixedOrder(-10, 10); }

// Columns with a range each, and the arrays that the kernels take.
struct Columns {
  Columns(std::size_t count, const QuantizationSpec& spec)
      : parameters((count + kMaxLanes - 1) / kMaxLanes), levels(static_cast<float>(spec.levels())) {
    std::mt19937 random(3);
    std::uniform_real_distribution<float> bound(0.5, 2);
    for (std::size_t column = 0; column < count; ++column) {
      min.push_back(-bound(random));
      max.push_back(bound(random));
      const ChannelParameters channel = Parameters(min.back(), max.back(), spec);
      nudged_min.push_back(channel.nudged_min);
      nudged_max.push_back(channel.nudged_max);
      ColumnParameters& block = parameters[column / kMaxLanes];
      block.scale[column % kMaxLanes] = channel.scale;
      block.inverse_scale[column % kMaxLanes] = channel.inverse_scale;
      block.lowest_step[column % kMaxLanes] = channel.lowest_step;
    }
  }

  std::vector<ColumnParameters> parameters;
  float levels;
  std::vector<float> min;
  std::vector<float> max;
  std::vector<float> nudged_min;
  std::vector<float> nudged_max;
};

TEST_P(Kernels, QuantizeColumnsOfAnyNumber) {
  const QuantizationSpec spec{.num_bits = 6, .narrow_range = true, .numerics = {}};
  for (const std::size_t count : {1U, 3U, 15U, 16U, 17U, 48U, 64U, 143U, 300U, 1024U}) {
    const Columns columns(count, spec);
    for (const std::size_t rows : {0U, 1U, 3U, 4U, 5U, 9U}) {
      const std::vector<float> input = Values(rows * count, 5);
      const auto expected =
          reference::FakeQuantize(std::vector<std::int64_t>{static_cast<std::int64_t>(rows),
                                                            static_cast<std::int64_t>(count)},
                                  input, {.min = columns.min, .max = columns.max, .axis = 1}, spec);
      for (const Store store : {Store::kCached, Store::kStreaming}) {
        std::vector<float> output(rows * count + 1, kCanary);
        FakeQuantizeColumns(input.data(), rows, count, count, columns.parameters.data(),
                            columns.levels, store, output.data());
        EXPECT_TRUE(SameBits({output.data(), rows * count}, *expected)) << rows << " x " << count;
        EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
      }
    }
  }
}

TEST_P(Kernels, QuantizeColumnsInPlace) {
  const QuantizationSpec spec;
  constexpr std::size_t kRows = 9;
  for (const std::size_t count : {3U, 48U, 64U, 143U, 300U}) {
    const Columns columns(count, spec);
    std::vector<float> in_place = Values(kRows * count, 7);
    std::vector<float> separate(in_place.size());
    FakeQuantizeColumns(in_place.data(), kRows, count, count, columns.parameters.data(),
                        columns.levels, Store::kCached, separate.data());
    FakeQuantizeColumns(in_place.data(), kRows, count, count, columns.parameters.data(),
                        columns.levels, Store::kStreaming, in_place.data());
    EXPECT_TRUE(SameBits(in_place, separate)) << count;
  }
}

TEST_P(Kernels, SumColumnsRowAfterRow) {
  const QuantizationSpec spec;
  for (const std::size_t count : {1U, 3U, 16U, 17U, 64U, 143U, 300U}) {
    const Columns columns(count, spec);
    for (const std::size_t rows : {0U, 1U, 4U, 9U, 50U}) {
      const std::vector<float> gradients = FiniteValues(rows * count, 1);
      const std::vector<float> inputs = Values(rows * count, 2);
      std::vector<double> min_sums(count, 0.25);
      std::vector<double> max_sums(count, -0.25);
      std::vector<double> expected_min = min_sums;
      std::vector<double> expected_max = max_sums;
      std::vector<float> expected(rows * count);
      for (std::size_t i = 0; i < rows * count; ++i) {
        const std::size_t column = i % count;
        const bool below = inputs[i] < columns.nudged_min[column];
        const bool above = inputs[i] > columns.nudged_max[column];
        expected[i] = gradients[i] * (below || above || std::isnan(inputs[i]) ? 0.0F : 1.0F);
        expected_min[column] += below ? gradients[i] : 0.0F;
        expected_max[column] += above ? gradients[i] : 0.0F;
      }
      std::vector<float> output(rows * count + 1, kCanary);
      GradientColumns(gradients.data(), inputs.data(), rows, count, count,
                      columns.parameters.data(), columns.levels, Store::kStreaming, output.data(),
                      min_sums.data(), max_sums.data());
      EXPECT_TRUE(SameBits({output.data(), rows * count}, expected)) << rows << " x " << count;
      EXPECT_EQ(output.back(), kCanary) << "wrote beyond the end";
      EXPECT_EQ(min_sums, expected_min);
      EXPECT_EQ(max_sums, expected_max);
    }
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(Kernels);

}  // namespace
}  // namespace quantd::core::kernels
