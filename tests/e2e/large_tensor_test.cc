// Compares quantd with core for a tensor that is larger than any message can be. quantd has to
// listen on QUANTD_TEST_ADDRESS. script/test-large runs this test.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/library/client.h"
#include "core/fake_quantization.h"
#include "core/worker_pool.h"
#include "tests/core/same_bits.h"

namespace quantd {
namespace {

// 2.5 GiB.
constexpr std::int64_t kRows = 5;
constexpr std::int64_t kChannels = 128;
constexpr std::int64_t kInner = std::int64_t{1} << 20;

class LargeTensor : public testing::Test {
 protected:
  void SetUp() override {
    const char* const address =
        std::getenv("QUANTD_TEST_ADDRESS");  // NOLINT(concurrency-mt-unsafe)
    ASSERT_NE(address, nullptr) << "run script/test-large";
    auto client = client::Client::Connect({.address = address});
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    for (std::int64_t channel = 0; channel < kChannels; ++channel) {
      min_.push_back(-0.5F - 0.01F * static_cast<float>(channel));
      max_.push_back(0.75F + 0.02F * static_cast<float>(channel));
    }
    // Values from -4 to 4, with a step that is not a power of two.
    for (std::size_t i = 0; i < values_.size(); ++i) {
      values_[i] = static_cast<float>(i % 1'000'003) / 125'000.0F - 4.0F;
    }
  }

  core::Range per_channel(std::int32_t axis) const {
    return {.min = min_, .max = max_, .axis = axis};
  }
  core::Range per_tensor() const {
    return {.min = {min_.data(), 1}, .max = {max_.data(), 1}, .axis = {}};
  }

  // Quantizes each row with core and compares it with the output. `row_range` is the range
  // for a single row.
  void ExpectCoresBits(const core::Range& row_range) {
    const auto quantization = core::FakeQuantization::Create(row_range, {});
    ASSERT_TRUE(quantization.ok()) << quantization.status();
    std::vector<float> expected(kChannels * kInner);
    for (std::size_t row = 0; row < static_cast<std::size_t>(kRows); ++row) {
      const std::size_t first = row * expected.size();
      const core::TensorView input(row_shape_, std::span(values_).subspan(first, expected.size()));
      ASSERT_TRUE(quantization->Apply(input, std::span(expected), &pool_).ok());
      EXPECT_TRUE(core::SameBits(std::span(output_).subspan(first, expected.size()), expected));
    }
  }

  const std::vector<std::int64_t> shape_ = {kRows, kChannels, kInner};
  const std::vector<std::int64_t> row_shape_ = {kChannels, kInner};
  std::vector<float> min_;
  std::vector<float> max_;
  std::vector<float> values_ = std::vector<float>(kRows * kChannels * kInner);
  std::vector<float> output_ = std::vector<float>(values_.size());
  const client::TensorView tensor_{shape_, values_};
  core::WorkerPool pool_{2};
  std::unique_ptr<client::Client> client_;
};

TEST_F(LargeTensor, MatchesCoreWithOneRange) {
  std::size_t done = 0;
  const auto nudged = client_->FakeQuantizeInto(tensor_, per_tensor(), {}, std::span(output_),
                                                [&](std::size_t now, std::size_t) { done = now; });
  ASSERT_TRUE(nudged.ok()) << nudged.status();
  EXPECT_EQ(done, values_.size());
  ExpectCoresBits(per_tensor());
}

TEST_F(LargeTensor, MatchesCoreWithOneRangePerChannel) {
  const auto nudged = client_->FakeQuantizeInto(tensor_, per_channel(1), {}, std::span(output_));
  ASSERT_TRUE(nudged.ok()) << nudged.status();
  ExpectCoresBits(per_channel(0));
}

TEST_F(LargeTensor, MatchesTheGradientsOfCore) {
  // The tensor serves as its own gradients. All values on one side of the range have the same
  // sign, so that no sum cancels out.
  const auto result =
      client_->FakeQuantizeGradientInto(tensor_, tensor_, per_channel(1), {}, std::span(output_));
  ASSERT_TRUE(result.ok()) << result.status();

  const auto quantization = core::FakeQuantization::CreateForGradient(per_channel(1), {});
  std::vector<float> input(values_.size());
  std::vector<float> min(kChannels);
  std::vector<float> max(kChannels);
  ASSERT_TRUE(quantization
                  ->ApplyGradient(tensor_, tensor_,
                                  {.input = std::span(input), .min = min, .max = max}, &pool_)
                  .ok());
  EXPECT_TRUE(core::SameBits(output_, input));
  for (std::size_t channel = 0; channel < min.size(); ++channel) {
    EXPECT_FLOAT_EQ(result->min[channel], min[channel]);
    EXPECT_FLOAT_EQ(result->max[channel], max[channel]);
  }
}

}  // namespace
}  // namespace quantd
