// What FakeQuantization promises beside TensorFlow's bits: errors, channels of
// zeros, empty tensors, scalars.

#include "core/fake_quantization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "core/base/error.h"
#include "tests/core/every_simd_target.h"
#include "tests/core/same_bits.h"

namespace quantd::core {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

absl::StatusOr<FakeQuantization> Create(const std::vector<std::int64_t>& shape,
                                        const std::vector<float>& min,
                                        const std::vector<float>& max,
                                        std::optional<std::int32_t> axis = {}) {
  return FakeQuantization::Create(shape, {.min = min, .max = max, .axis = axis}, {});
}

std::vector<float> Apply(const FakeQuantization& quantization, const std::vector<float>& input) {
  std::vector<float> output(input.size());
  EXPECT_TRUE(quantization.Apply(input, output, nullptr).ok());
  return output;
}

ErrorDetail DetailOf(const absl::Status& status) {
  return GetErrorDetail(status).value_or(ErrorDetail{});
}

TEST(FakeQuantization, RefusesMoreThanOneRangeWithoutAnAxis) {
  const auto quantization = Create({2}, {-1, -1}, {1, 1});
  ASSERT_FALSE(quantization.ok());
  EXPECT_EQ(DetailOf(quantization.status()).reason, "RANGE_SIZE_MISMATCH");
}

TEST(FakeQuantization, RefusesARangeWithoutValues) {
  const auto quantization = Create({2}, {}, {});
  ASSERT_FALSE(quantization.ok());
  EXPECT_EQ(DetailOf(quantization.status()).reason, "RANGE_SIZE_MISMATCH");
}

TEST(FakeQuantization, RefusesARangeForEachOfAnotherNumberOfChannels) {
  const auto quantization = Create({2, 3}, {-1, -1}, {1, 1}, 1);
  ASSERT_FALSE(quantization.ok());
  EXPECT_EQ(DetailOf(quantization.status()).reason, "RANGE_SIZE_MISMATCH");
  EXPECT_EQ(DetailOf(quantization.status()).metadata.at("expected"), "3");
}

TEST(FakeQuantization, RefusesBuffersOfAnotherSize) {
  const auto quantization = Create({3}, {-1}, {1});
  std::vector<float> two(2);
  std::vector<float> three(3);
  std::vector<float> one(1);
  EXPECT_FALSE(quantization->Apply(two, three, nullptr).ok());
  EXPECT_FALSE(quantization->Apply(three, two, nullptr).ok());
  EXPECT_FALSE(
      quantization->ApplyGradient(two, three, {.input = three, .min = one, .max = one}, nullptr)
          .ok());
  EXPECT_FALSE(
      quantization->ApplyGradient(three, three, {.input = three, .min = two, .max = one}, nullptr)
          .ok());
}

TEST(FakeQuantization, TakesAScalar) {
  const auto quantization = Create({}, {0}, {255});
  ASSERT_TRUE(quantization.ok());
  EXPECT_THAT(Apply(*quantization, {41.6F}), ElementsAre(42));
}

TEST(FakeQuantization, TakesAnEmptyTensor) {
  for (const std::optional<std::int32_t> axis : {std::optional<std::int32_t>(), {0}}) {
    const std::size_t channels = axis.has_value() ? 2 : 1;
    const auto quantization =
        Create({2, 0}, std::vector<float>(channels, -1), std::vector<float>(channels, 1), axis);
    ASSERT_TRUE(quantization.ok()) << quantization.status();
    EXPECT_THAT(Apply(*quantization, {}), IsEmpty());
    std::vector<float> min(quantization->channel_count(), 7);
    std::vector<float> max(quantization->channel_count(), 7);
    ASSERT_TRUE(
        quantization->ApplyGradient({}, {}, {.input = {}, .min = min, .max = max}, nullptr).ok());
    EXPECT_THAT(min, Each(0));
    EXPECT_THAT(max, Each(0));
  }
}

TEST(FakeQuantization, TakesAnAxisWithoutChannels) {
  const auto quantization = Create({2, 0}, {}, {}, 1);
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  EXPECT_THAT(Apply(*quantization, {}), IsEmpty());
}

// A channel of zeros in the middle of three: as columns, as short runs, and as
// long ones.
class ChannelOfZeros : public EverySimdTarget {
 protected:
  static constexpr std::int64_t kInners[] = {1, 5, 64, 200};
  static constexpr std::int64_t kOuter = 50;

  static absl::StatusOr<FakeQuantization> CreateFor(std::int64_t inner) {
    return Create({kOuter, 3, inner}, {-1, 0, -2}, {1, 0, 2}, 1);
  }
  static bool InChannelOfZeros(std::size_t element, std::int64_t inner) {
    return element / static_cast<std::size_t>(inner) % 3 == 1;
  }
  static std::vector<float> Inputs(const FakeQuantization& quantization) {
    std::vector<float> inputs(quantization.element_count(), 0.7F);
    for (std::size_t i = 0; i + 4 < inputs.size(); i += 8) {
      inputs[i] = kNaN;
      inputs[i + 4] = kInfinity;
    }
    return inputs;
  }
};

TEST_P(ChannelOfZeros, GivesZerosWhateverTheInput) {
  for (const std::int64_t inner : kInners) {
    const auto quantization = CreateFor(inner);
    const std::vector<float> output = Apply(*quantization, Inputs(*quantization));
    for (std::size_t i = 0; i < output.size(); ++i) {
      ASSERT_EQ(InChannelOfZeros(i, inner), output[i] == 0) << i << " of inner " << inner;
    }
  }
}

TEST_P(ChannelOfZeros, PassesItsGradientsToTheInput) {
  for (const std::int64_t inner : kInners) {
    const auto quantization = CreateFor(inner);
    const std::vector<float> inputs = Inputs(*quantization);
    const std::vector<float> gradients(inputs.size(), 3);
    std::vector<float> input_gradients(inputs.size());
    std::vector<float> min(3);
    std::vector<float> max(3);
    ASSERT_TRUE(quantization
                    ->ApplyGradient(gradients, inputs,
                                    {.input = input_gradients, .min = min, .max = max}, nullptr)
                    .ok());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool passes = InChannelOfZeros(i, inner) || inputs[i] == 0.7F;
      ASSERT_EQ(input_gradients[i], passes ? 3 : 0) << i << " of inner " << inner;
    }
    EXPECT_EQ(min[1], 0);
    EXPECT_EQ(max[1], 0);
    EXPECT_NE(max[0], 0);
  }
}

INSTANTIATE_ON_EVERY_SIMD_TARGET(ChannelOfZeros);

TEST(FakeQuantization, OfZerosGivesZerosPerTensorToo) {
  const auto quantization = Create({3}, {0}, {0});
  EXPECT_TRUE(SameBits(Apply(*quantization, {1, kNaN, -kInfinity}), std::vector<float>{0, 0, 0}));
}

TEST(FakeQuantization, ReportsTheNudgedRange) {
  const auto quantization = Create({2, 2}, {2, -6}, {5, 6}, 0);
  EXPECT_THAT(quantization->nudged_range().min, ElementsAre(0, testing::FloatNear(-6, 0.05F)));
  EXPECT_THAT(quantization->nudged_range().zero_point, ElementsAre(0, 128));
}

}  // namespace
}  // namespace quantd::core
