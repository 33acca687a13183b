// Holds core's public interface and its reference to TensorFlow's bits.

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "core/fake_quantization.h"
#include "core/reference.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"
#include "tests/core/tensors.h"
#include "tests/golden/golden_cases.h"

namespace quantd::core {
namespace {

const std::vector<golden::Case>& Cases() {
  static const std::vector<golden::Case> cases = golden::LoadCases();
  return cases;
}

void ExpectNudgedRange(const golden::Case& expected, const NudgedRange& actual) {
  if (expected.scale.empty()) {
    return;
  }
  EXPECT_TRUE(SameBits(actual.min, expected.nudged_min));
  EXPECT_TRUE(SameBits(actual.max, expected.nudged_max));
  EXPECT_TRUE(SameBits(actual.scale, expected.scale));
}

void ExpectSums(const golden::Case& expected, const auto& min, const auto& max) {
  ASSERT_EQ(min.size(), expected.min_gradient.size());
  ASSERT_EQ(max.size(), expected.max_gradient.size());
  for (std::size_t i = 0; i < min.size(); ++i) {
    EXPECT_NEAR(min[i], expected.min_gradient[i],
                golden::GradientTolerance(expected.min_gradient[i], expected.gradients));
    EXPECT_NEAR(max[i], expected.max_gradient[i],
                golden::GradientTolerance(expected.max_gradient[i], expected.gradients));
  }
}

TEST(GoldenCases, AreComplete) { EXPECT_EQ(Cases().size(), 118); }

class GoldenOnTarget : public EverySimdTarget {};

TEST_P(GoldenOnTarget, ForwardCasesGiveTensorFlowsBits) {
  for (const golden::Case& golden : Cases()) {
    if (golden.is_gradient()) {
      continue;
    }
    SCOPED_TRACE(golden.name);
    const auto quantization = FakeQuantization::Create(golden.range(), golden.spec);
    ASSERT_TRUE(quantization.ok()) << quantization.status();
    ExpectNudgedRange(golden, *quantization->nudged_range());
    EXPECT_TRUE(SameBits(Apply(*quantization, View(golden.shape, golden.inputs)), golden.outputs));
  }
}

TEST_P(GoldenOnTarget, GradientCasesGiveTensorFlowsBitsAndExactSums) {
  for (const golden::Case& golden : Cases()) {
    if (!golden.is_gradient()) {
      continue;
    }
    SCOPED_TRACE(golden.name);
    const auto quantization = FakeQuantization::CreateForGradient(golden.range(), golden.spec);
    ASSERT_TRUE(quantization.ok()) << quantization.status();
    ExpectNudgedRange(golden, *quantization->nudged_range());
    const AllGradients all = ApplyGradient(*quantization, View(golden.shape, golden.gradients),
                                           View(golden.shape, golden.inputs));
    EXPECT_TRUE(SameBits(all.input, golden.input_gradients));
    ExpectSums(golden, all.min, all.max);
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(GoldenOnTarget);

TEST(GoldenReference, GivesTensorFlowsBits) {
  for (const golden::Case& golden : Cases()) {
    SCOPED_TRACE(golden.name);
    if (golden.is_gradient()) {
      const auto gradients = reference::FakeQuantizeGradient(
          golden.shape, golden.gradients, golden.inputs, golden.range(), golden.spec);
      ASSERT_TRUE(gradients.ok()) << gradients.status();
      EXPECT_TRUE(SameBits(gradients->input, golden.input_gradients));
      ExpectSums(golden, gradients->min, gradients->max);
    } else {
      const auto output =
          reference::FakeQuantize(golden.shape, golden.inputs, golden.range(), golden.spec);
      ASSERT_TRUE(output.ok()) << output.status();
      EXPECT_TRUE(SameBits(*output, golden.outputs));
    }
  }
}

}  // namespace
}  // namespace quantd::core
