#include "client/library/range_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "client/library/adam.h"
#include "client/library/npy.h"
#include "core/base/status_macros.h"
#include "core/error_statistics.h"
#include "core/fake_quantization.h"

namespace quantd::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The passes, computed by core in this process.
FakeQuantizationPasses CorePasses(const TensorView& input, const core::QuantizationSpec& spec) {
  return {
      .forward = [input, spec](const core::Range& range) -> absl::StatusOr<FakeQuantizeResult> {
        ASSIGN_OR_RETURN(const core::FakeQuantization quantization,
                         core::FakeQuantization::Create(range, spec));
        FakeQuantizeResult result{
            .output = Elements(core::ElementType::kFloat32, input.element_count()),
            .nudged_range = *quantization.nudged_range()};
        RETURN_IF_ERROR(quantization.Apply(input, result.output.output(), nullptr));
        return result;
      },
      .backward = [input, spec](std::span<const float> gradients,
                                const core::Range& range) -> absl::StatusOr<RangeGradients> {
        ASSIGN_OR_RETURN(const core::FakeQuantization quantization,
                         core::FakeQuantization::CreateForGradient(range, spec));
        std::vector<float> input_gradients(input.element_count());
        RangeGradients result{.min = std::vector<float>(quantization.channel_count()),
                              .max = std::vector<float>(quantization.channel_count()),
                              .nudged_range = *quantization.nudged_range()};
        RETURN_IF_ERROR(quantization.ApplyGradient(
            {input.shape, gradients}, input,
            {.input = std::span(input_gradients), .min = result.min, .max = result.max}, nullptr));
        return result;
      }};
}

absl::StatusOr<TrainedRange> Train(const TensorView& input, std::optional<std::int32_t> axis,
                                   const RangeTrainingOptions& options) {
  return TrainRange(input, axis, options, CorePasses(input, options.spec), nullptr);
}

// Returns the SQNR that `range` actually results in.
double MeasuredSqnrDb(const TensorView& input, const RangeValues& range,
                      const core::QuantizationSpec& spec) {
  const auto result = CorePasses(input, spec).forward(range.view());
  EXPECT_TRUE(result.ok()) << result.status();
  return core::MeasureError(input.shape, input.elements<float>(), result->output.values<float>(),
                            result->nudged_range, range.axis)
      ->sqnr_db;
}

// Returns values that are dense near zero with a few far away, like weights: the cubes
// of evenly spaced numbers.
std::vector<float> HeavyTails(std::size_t count) {
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) {
    const double t = 2.0 * (static_cast<double>(i) + 0.5) / static_cast<double>(count) - 1.0;
    values.push_back(static_cast<float>(3 * t * t * t * t * t));
  }
  return values;
}

class ConvolutionKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    auto array = ReadNpy(QUANTD_TEST_DATA "/basic_pitch_conv2d_4.npy");
    ASSERT_TRUE(array.ok()) << array.status();
    array_ = *std::move(array);
  }

  TensorView view() const { return array_.view(); }

  TrainedRange TrainBits(std::uint32_t num_bits, std::optional<std::int32_t> axis = {}) const {
    const RangeTrainingOptions options{.spec = {.num_bits = num_bits}};
    const auto trained = Train(view(), axis, options);
    EXPECT_TRUE(trained.ok()) << trained.status();
    EXPECT_NEAR(trained->sqnr_db_after, MeasuredSqnrDb(view(), trained->range, options.spec), 1e-9);
    return *trained;
  }

  NpyArray array_;
};

TEST_F(ConvolutionKernel, At4BitsGainsFiveDecibels) {
  const TrainedRange trained = TrainBits(4);
  EXPECT_NEAR(trained.sqnr_db_before, 7.1, 0.05);
  EXPECT_GE(trained.sqnr_db_after, 12.2);
  EXPECT_EQ(trained.steps, 200);
}

TEST_F(ConvolutionKernel, At2BitsGainsNearlyFiveDecibels) {
  const TrainedRange trained = TrainBits(2);
  EXPECT_NEAR(trained.sqnr_db_before, 0.85, 0.01);
  EXPECT_GE(trained.sqnr_db_after, 5.55);
}

TEST_F(ConvolutionKernel, At8BitsLosesNothing) {
  const TrainedRange trained = TrainBits(8);
  EXPECT_NEAR(trained.sqnr_db_before, 31.2, 0.1);
  EXPECT_GE(trained.sqnr_db_after, trained.sqnr_db_before);
}

TEST_F(ConvolutionKernel, PerChannelBeatsPerTensor) {
  const TrainedRange per_channel = TrainBits(4, 3);
  EXPECT_EQ(per_channel.range.min.size(), 32U);
  EXPECT_GT(per_channel.sqnr_db_after, per_channel.sqnr_db_before);
  EXPECT_GT(per_channel.sqnr_db_after, TrainBits(4).sqnr_db_after);
  EXPECT_THAT(per_channel.range.min, Each(Le(0)));
  EXPECT_THAT(per_channel.range.max, Each(Ge(0)));
}

TEST(TrainRange, NeverWorsensTheErrorForAnyBitsStepsAndRates) {
  const std::vector<float> values = HeavyTails(500);
  const std::vector<std::int64_t> shape = {500};
  const TensorView input{shape, values};
  for (const std::uint32_t num_bits : {2U, 5U, 12U, 16U}) {
    for (const double learning_rate : {1e-9, 0.03, 1.0, 100.0}) {
      for (const int steps : {0, 1, 7}) {
        const RangeTrainingOptions options{
            .spec = {.num_bits = num_bits, .narrow_range = num_bits == 5},
            .steps = steps,
            .learning_rate = learning_rate};
        const auto trained = Train(input, {}, options);
        ASSERT_TRUE(trained.ok()) << trained.status();
        EXPECT_GE(trained->sqnr_db_after, trained->sqnr_db_before);
        EXPECT_EQ(trained->steps, steps);
      }
    }
  }
}

TEST(TrainRange, DoesNotDependOnTheUnitOfTheTensor) {
  // The units are powers of two, so that rounding errors scale with them.
  for (const float unit : {0x1p-80F, 0x1p40F}) {
    std::vector<float> values = HeavyTails(500);
    const std::vector<std::int64_t> shape = {500};
    const auto plain = Train({shape, values}, {}, {.spec = {.num_bits = 3}});
    for (float& value : values) {
      value *= unit;
    }
    const auto scaled = Train({shape, values}, {}, {.spec = {.num_bits = 3}});
    ASSERT_TRUE(plain.ok() && scaled.ok()) << scaled.status();
    EXPECT_GT(plain->sqnr_db_after, plain->sqnr_db_before + 0.2);
    EXPECT_NEAR(scaled->sqnr_db_after, plain->sqnr_db_after, 0.01);
  }
}

TEST(TrainRange, LearnsChannelsIndependently) {
  // There are two channels along the first axis; the second is ten times the first.
  std::vector<float> values = HeavyTails(300);
  for (std::size_t i = 0; i < 300; ++i) {
    values.push_back(8 * values[i]);
  }
  const std::vector<std::int64_t> shape = {2, 300};
  const auto trained = Train({shape, values}, 0, {.spec = {.num_bits = 4}});
  ASSERT_TRUE(trained.ok()) << trained.status();
  ASSERT_EQ(trained->range.max.size(), 2U);
  EXPECT_NEAR(trained->range.max[1] / trained->range.max[0], 8, 0.01);
}

TEST(TrainRange, KeepsChannelsOfZerosAndExtendsRangesToZero) {
  const std::vector<float> values = {0, 0, 0, 5, 6, 7, -5, -6, -7};
  const std::vector<std::int64_t> shape = {3, 3};
  const auto trained = Train({shape, values}, 0, {.spec = {.num_bits = 8}});
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_THAT(trained->range.min, ElementsAre(0, 0, Le(-6.9F)));
  EXPECT_THAT(trained->range.max, ElementsAre(0, Ge(6.9F), 0));
}

TEST(TrainRange, TakesNoStepsIfThereIsNothingToLearn) {
  const std::vector<std::int64_t> empty_shape = {0, 4};
  const auto empty = Train({empty_shape, {}}, 1, {});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->steps, 0);
  EXPECT_THAT(empty->range.min, ElementsAre(0, 0, 0, 0));

  const std::vector<float> zeros(4);
  const std::vector<std::int64_t> shape = {4};
  const auto zero = Train({shape, zeros}, {}, {});
  ASSERT_TRUE(zero.ok()) << zero.status();
  EXPECT_EQ(zero->steps, 0);
  EXPECT_TRUE(std::isnan(zero->sqnr_db_after));
}

TEST(TrainRange, IgnoresNan) {
  std::vector<float> values = HeavyTails(200);
  const std::vector<std::int64_t> shape = {200};
  const auto plain = Train({shape, values}, {}, {.spec = {.num_bits = 4}});
  values.push_back(kNan);
  const std::vector<std::int64_t> longer = {201};
  const auto with_nan = Train({longer, values}, {}, {.spec = {.num_bits = 4}});
  ASSERT_TRUE(plain.ok() && with_nan.ok()) << with_nan.status();
  EXPECT_NEAR(with_nan->sqnr_db_after, plain->sqnr_db_after, 0.01);
}

TEST(TrainRange, ReportsEveryStepWithItsLoss) {
  const std::vector<float> values = HeavyTails(200);
  const std::vector<std::int64_t> shape = {200};
  const TensorView input{shape, values};
  const RangeTrainingOptions options{.spec = {.num_bits = 3}, .steps = 30};
  std::vector<RangeTrainingProgress> seen;
  const auto trained =
      TrainRange(input, {}, options, CorePasses(input, options.spec),
                 [&seen](const RangeTrainingProgress& progress) { seen.push_back(progress); });
  ASSERT_TRUE(trained.ok()) << trained.status();
  ASSERT_EQ(seen.size(), 30U);
  EXPECT_EQ(seen.front().step, 1);
  EXPECT_EQ(seen.back().step, 30);
  EXPECT_LT(seen.back().loss, seen.front().loss);
}

TEST(TrainRange, ReturnsTheErrorsOfItsPasses) {
  const std::vector<float> values = {1, 2, 3};
  const std::vector<std::int64_t> shape = {3};
  const TensorView input{shape, values};
  FakeQuantizationPasses passes = CorePasses(input, {});
  passes.backward = [](std::span<const float>, const core::Range&) {
    return absl::UnavailableError("gone");
  };
  EXPECT_TRUE(absl::IsUnavailable(TrainRange(input, {}, {}, passes, nullptr).status()));
  passes.forward = [](const core::Range&) { return absl::InternalError("broken"); };
  EXPECT_TRUE(absl::IsInternal(TrainRange(input, {}, {}, passes, nullptr).status()));
}

TEST(Adam, StepsHaveTheLengthOfTheLearningRateAndFindTheMinimum) {
  for (const double unit : {1e-20, 1.0, 1e20}) {
    EXPECT_NEAR(Adam().Step(unit, 0.1), -0.1, 1e-9);
    Adam adam;
    double x = 0;
    for (int step = 0; step < 500; ++step) {
      x += adam.Step(unit * (x - 1), 0.05 * std::pow(0.99, step));
    }
    EXPECT_NEAR(x, 1, 0.02);
  }
  EXPECT_EQ(Adam().Step(0, 0.1), 0);
}

}  // namespace
}  // namespace quantd::client
