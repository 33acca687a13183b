#include "core/execution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/base/scattered_bytes.h"
#include "core/base/tensor_view.h"
#include "core/fake_quantization.h"
#include "core/operations/partition.h"
#include "core/operations/traversal.h"
#include "core/quantizer.h"
#include "core/worker_pool.h"

namespace quantd::core {
namespace {

constexpr std::size_t kBlocks = 40;
constexpr std::size_t kElements = kBlocks * kBlockElements;
// The blocks of each test before it is cancelled.
constexpr int kWantedBlocks = 3;

// Counts how often it is asked whether a computation is cancelled, which it is after
// kWantedBlocks.
struct Question {
  std::function<bool()> AsFunction() {
    return [this] { return ++asked > kWantedBlocks; };
  }
  std::atomic<int> asked = 0;
};

class Cancelled : public testing::Test {
 protected:
  template <typename T>
  TensorView View(const std::vector<T>& elements, ElementType type) const {
    return {type, shape_, ScatteredBytes(std::as_bytes(std::span(elements)))};
  }

  // The parameters of the whole tensor.
  const float min_ = -1;
  const float max_ = 1;
  const QuantizationParameters range_ = Range{.min = {&min_, 1}, .max = {&max_, 1}, .axis = {}};

  const std::int64_t shape_[1] = {kElements};
  const std::vector<float> inputs_ = std::vector<float>(kElements, 0.25F);
  std::vector<float> outputs_ = std::vector<float>(kElements);
  Question question_;
  WorkerPool pool_{2};
};

TEST_F(Cancelled, BlocksAreNotVisited) {
  const ScatteredBytes bytes(std::as_bytes(std::span(inputs_)));
  const RunPartition partition({.outer = 1, .channels = 1, .inner = kElements});
  for (WorkerPool* const pool : {static_cast<WorkerPool*>(nullptr), &pool_}) {
    Question question;
    std::atomic<int> visited = 0;
    Traversal<float, 1>({&bytes}, kElements, {pool, question.AsFunction()})
        .ForEachSegment(partition, [&](std::size_t, const auto&, auto&) { ++visited; });
    EXPECT_EQ(visited, kWantedBlocks);
  }
}

TEST_F(Cancelled, FakeQuantizationStopsWithinABlockOnOneThread) {
  const auto quantization = FakeQuantization::Create(range_, {});
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  const absl::Status status = quantization->Apply(
      View(inputs_, ElementType::kFloat32), std::span(outputs_), {nullptr, question_.AsFunction()});
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  const std::size_t wanted = kWantedBlocks * kBlockElements;
  EXPECT_NE(outputs_[wanted - 1], 0);
  EXPECT_EQ(outputs_[wanted], 0);
}

TEST_F(Cancelled, FakeQuantizationStopsOnSeveralThreads) {
  const auto quantization = FakeQuantization::Create(range_, {});
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  const absl::Status status = quantization->Apply(
      View(inputs_, ElementType::kFloat32), std::span(outputs_), {&pool_, question_.AsFunction()});
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_EQ(std::ranges::count_if(outputs_, [](float output) { return output != 0; }),
            kWantedBlocks * kBlockElements);
}

TEST_F(Cancelled, GradientHasNoResult) {
  const auto quantization = FakeQuantization::CreateForGradient(range_, {});
  ASSERT_TRUE(quantization.ok()) << quantization.status();
  float min = 0;
  float max = 0;
  const TensorView view = View(inputs_, ElementType::kFloat32);
  const absl::Status status = quantization->ApplyGradient(
      view, view, {.input = std::span(outputs_), .min = {&min, 1}, .max = {&max, 1}},
      {nullptr, question_.AsFunction()});
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_EQ(outputs_.back(), 0);
}

TEST_F(Cancelled, QuantizingAndDequantizingHaveNoResult) {
  const ConversionTypes types = {ElementType::kFloat32, ElementType::kUint8};
  std::vector<std::uint8_t> codes(kElements);
  const auto quantizer = Quantizer::Create(range_, {}, types);
  ASSERT_TRUE(quantizer.ok()) << quantizer.status();
  EXPECT_EQ(quantizer
                ->Apply(View(inputs_, ElementType::kFloat32),
                        OutputView(ElementType::kUint8, codes.data(), codes.size()),
                        {nullptr, question_.AsFunction()})
                .code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(codes.back(), 0);

  Question dequantizing;
  const auto dequantizer = Dequantizer::Create(range_, {}, {types.output, types.input});
  ASSERT_TRUE(dequantizer.ok()) << dequantizer.status();
  EXPECT_EQ(dequantizer
                ->Apply(View(codes, ElementType::kUint8), std::span(outputs_),
                        {nullptr, dequantizing.AsFunction()})
                .code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(outputs_.back(), 0);
}

TEST_F(Cancelled, RangesAreNotComputedFromData) {
  const absl::Status status =
      Quantizer::CreateFromData({}, {}, View(inputs_, ElementType::kFloat32), ElementType::kUint8,
                                {nullptr, question_.AsFunction()})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_LE(question_.asked, kWantedBlocks + 2);
}

TEST_F(Cancelled, NothingIsWithoutAQuestion) {
  EXPECT_FALSE(Execution(nullptr).IsCancelled());
  EXPECT_TRUE(Execution(&pool_).CheckWanted().ok());
}

}  // namespace
}  // namespace quantd::core
