// Properties that hold for all tensors, ranges and specs.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/fake_quantization.h"
#include "core/reference.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

struct Example {
  Shape shape;
  std::optional<std::int32_t> axis;
  QuantizationSpec spec;
  std::vector<float> min;
  std::vector<float> max;
  std::vector<float> inputs;
  std::vector<float> gradients;

  Range range() const { return {.min = min, .max = max, .axis = axis}; }
  FakeQuantization quantization() const { return FakeQuantization::Create(range(), spec).value(); }
  FakeQuantization gradient() const {
    return FakeQuantization::CreateForGradient(range(), spec).value();
  }
};

// Makes an example of a random shape, of one element to several blocks, with a
// random axis and spec.
Example MakeExample(unsigned seed) {
  std::mt19937 random(seed);
  const auto up_to = [&](std::size_t limit) { return random() % limit; };
  Example example;
  const std::size_t rank = 1 + up_to(4);
  const std::size_t dimension_limit[] = {200'000, 500, 60, 20};
  std::size_t count = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    example.shape.push_back(static_cast<std::int64_t>(1 + up_to(dimension_limit[rank - 1])));
    count *= static_cast<std::size_t>(example.shape.back());
  }
  std::size_t channels = 1;
  if (up_to(4) != 0) {
    example.axis = static_cast<std::int32_t>(up_to(rank));
    channels = static_cast<std::size_t>(example.shape[static_cast<std::size_t>(*example.axis)]);
  }
  example.spec = {.num_bits = static_cast<std::uint32_t>(2 + up_to(15)),
                  .narrow_range = up_to(2) == 0,
                  .numerics = up_to(2) == 0 ? Numerics::kTensorFlow : Numerics::kTensorFlowArgs};
  std::uniform_real_distribution<float> bound(0.01F, 3);
  for (std::size_t i = 0; i < channels; ++i) {
    const float offset = up_to(5) == 0 ? 4.0F : 0.0F;
    example.min.push_back(offset - bound(random));
    example.max.push_back(offset + bound(random));
  }
  std::normal_distribution<float> normal(0, 2);
  for (std::size_t i = 0; i < count; ++i) {
    example.inputs.push_back(normal(random));
    example.gradients.push_back(normal(random));
  }
  return example;
}

constexpr unsigned kExamples = 60;

struct Results {
  std::vector<float> output;
  AllGradients gradients;
};

Results Compute(const Example& example, WorkerPool* pool = nullptr) {
  const FakeQuantization quantization = example.quantization();
  const TensorView inputs = View(example.shape, example.inputs);
  return {.output = Apply(quantization, inputs, pool),
          .gradients = ApplyGradient(example.gradient(), View(example.shape, example.gradients),
                                     inputs, pool)};
}

void ExpectSame(const Results& actual, const Results& expected) {
  EXPECT_TRUE(SameBits(actual.output, expected.output));
  EXPECT_TRUE(SameBits(actual.gradients.input, expected.gradients.input));
  EXPECT_TRUE(SameBits(actual.gradients.min, expected.gradients.min));
  EXPECT_TRUE(SameBits(actual.gradients.max, expected.gradients.max));
}

TEST(FakeQuantizationProperties, ThreadsAndSimdTargetsDoNotChangeABit) {
  WorkerPool pool(3);
  for (unsigned seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(seed);
    const Example example = MakeExample(seed);
    const Results expected = Compute(example);
    for (const std::string& target : SupportedSimdTargets()) {
      SCOPED_TRACE(target);
      ASSERT_TRUE(ForceSimdTarget(target).ok());
      ExpectSame(Compute(example), expected);
      ExpectSame(Compute(example, &pool), expected);
    }
    ASSERT_TRUE(ForceSimdTarget("").ok());
  }
}

TEST(FakeQuantizationProperties, AgreesWithTheReference) {
  for (unsigned seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(seed);
    const Example example = MakeExample(seed);
    const Results results = Compute(example);
    const auto output =
        reference::FakeQuantize(example.shape, example.inputs, example.range(), example.spec);
    EXPECT_TRUE(SameBits(results.output, *output));
    const auto gradients = reference::FakeQuantizeGradient(
        example.shape, example.gradients, example.inputs, example.range(), example.spec);
    EXPECT_TRUE(SameBits(results.gradients.input, gradients->input));
    for (std::size_t i = 0; i < results.gradients.min.size(); ++i) {
      const auto ulp = [](double sum) {
        const float rounded = std::abs(static_cast<float>(sum));
        return std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded;
      };
      EXPECT_NEAR(results.gradients.min[i], gradients->min[i], ulp(gradients->min[i]) + 1e-9);
      EXPECT_NEAR(results.gradients.max[i], gradients->max[i], ulp(gradients->max[i]) + 1e-9);
    }
  }
}

TEST(FakeQuantizationProperties, QuantizingTwiceChangesNothing) {
  for (unsigned seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(seed);
    Example example = MakeExample(seed);
    const std::vector<float> once = Compute(example).output;
    example.inputs = once;
    EXPECT_TRUE(SameBits(Compute(example).output, once));
  }
}

TEST(FakeQuantizationProperties, EveryOutputIsOneOfTheLevels) {
  for (unsigned seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(seed);
    Example example = MakeExample(seed);
    example.axis.reset();
    example.min.resize(1);
    example.max.resize(1);
    const std::vector<float> output = Compute(example).output;
    const std::set<float> values(output.begin(), output.end());
    const std::int32_t levels =
        ((std::int32_t{1} << *example.spec.num_bits) - 1 - (example.spec.narrow_range ? 1 : 0));
    EXPECT_LE(values.size(), static_cast<std::size_t>(levels) + 1);
  }
}

TEST(FakeQuantizationProperties, LargerInputsGiveNoSmallerOutputs) {
  for (unsigned seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(seed);
    Example example = MakeExample(seed);
    example.axis.reset();
    example.min.resize(1);
    example.max.resize(1);
    std::ranges::sort(example.inputs);
    const std::vector<float> output = Compute(example).output;
    EXPECT_TRUE(std::ranges::is_sorted(output));
  }
}

TEST(FakeQuantizationProperties, ZeroGivesZero) {
  for (unsigned seed = 0; seed < kExamples; ++seed) {
    SCOPED_TRACE(seed);
    Example example = MakeExample(seed);
    std::ranges::fill(example.inputs, 0.0F);
    const std::vector<float> output = Compute(example).output;
    EXPECT_TRUE(std::ranges::all_of(output, [](float y) { return y == 0; }));
  }
}

}  // namespace
}  // namespace quantd::core
