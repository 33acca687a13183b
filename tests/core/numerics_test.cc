#include "core/numerics.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "core/fake_quantization.h"
#include "core/reference.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

TEST(Numerics, TensorFlowDividesPerTensorAndMultipliesPerChannel) {
  const RangeArithmetic& arithmetic = *RowOf(Numerics::kTensorFlow).range;
  EXPECT_EQ(arithmetic.per_tensor, StepFormula::kDivide);
  EXPECT_EQ(arithmetic.per_channel, StepFormula::kMultiply);
}

TEST(Numerics, TensorFlowArgsAlwaysMultiplies) {
  const RangeArithmetic& arithmetic = *RowOf(Numerics::kTensorFlowArgs).range;
  EXPECT_EQ(arithmetic.per_tensor, StepFormula::kMultiply);
  EXPECT_EQ(arithmetic.per_channel, StepFormula::kMultiply);
}

// Searches for a range from 0 to `max_` and an input that show the quotient: the one
// by the scale rounds to another step than the product with the inverse scale.
class DifferingInput : public testing::Test {
 protected:
  static bool Differ(float x, float max) {
    return Reference(x, max, Numerics::kTensorFlow, {}) !=
           Reference(x, max, Numerics::kTensorFlowArgs, {});
  }

  void SetUp() override {
    for (max_ = 1; max_ < 2; max_ += 0.01F) {
      // Only inputs in the middle between two steps can differ.
      for (float step = 0.5F; step < 255; ++step) {
        x_ = step * (max_ / 255);
        if (Differ(x_, max_)) {
          return;
        }
      }
    }
    FAIL() << "no input shows the quotient";
  }

  static float Reference(float x, float max, Numerics numerics, std::optional<std::int32_t> axis) {
    return reference::FakeQuantize(Shape{1}, {&x, 1}, RangeTo(max, axis), {.numerics = numerics})
        ->front();
  }
  static float Kernel(float x, float max, Numerics numerics, std::optional<std::int32_t> axis) {
    return Apply(*FakeQuantization::Create(RangeTo(max, axis), {.numerics = numerics}),
                 View({1}, {x}))
        .front();
  }

  float x_ = 0;
  float max_ = 0;

 private:
  static Range RangeTo(const float& max, std::optional<std::int32_t> axis) {
    static constexpr float kMin = 0;
    return {.min = {&kMin, 1}, .max = {&max, 1}, .axis = axis};
  }
};

TEST_F(DifferingInput, ShowsTheSameQuotientInKernelsAndReference) {
  const float divided = Reference(x_, max_, Numerics::kTensorFlow, {});
  const float multiplied = Reference(x_, max_, Numerics::kTensorFlowArgs, {});
  EXPECT_NE(divided, multiplied);
  EXPECT_EQ(Kernel(x_, max_, Numerics::kTensorFlow, {}), divided);
  EXPECT_EQ(Kernel(x_, max_, Numerics::kTensorFlowArgs, {}), multiplied);
  EXPECT_EQ(Kernel(x_, max_, Numerics::kTensorFlow, 0), multiplied);
  EXPECT_EQ(Kernel(x_, max_, Numerics::kTensorFlowArgs, 0), multiplied);
  EXPECT_EQ(Reference(x_, max_, Numerics::kTensorFlow, 0), multiplied);
}

}  // namespace
}  // namespace quantd::core
