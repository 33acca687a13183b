// Quantizes tensors of each kind of layout in pieces, and compares the result with
// that of the same tensor in one piece.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/fake_quantization.h"
#include "core/worker_pool.h"
#include "tests/core/pieces.h"
#include "tests/core/same_bits.h"
#include "tests/core/tensors.h"

namespace quantd::core {
namespace {

class TensorInPieces : public testing::Test {
 protected:
  struct Example {
    std::string name;
    Shape shape;
    std::optional<std::int32_t> axis;

    std::size_t element_count() const {
      std::size_t count = 1;
      for (const std::int64_t dimension : shape) {
        count *= static_cast<std::size_t>(dimension);
      }
      return count;
    }
    std::size_t channel_count() const {
      return axis.has_value() ? static_cast<std::size_t>(shape[static_cast<std::size_t>(*axis)])
                              : 1;
    }
  };

  static std::vector<Example> Examples() {
    return {{"per tensor", {201}, std::nullopt},
            {"long runs", {2, 3, 70}, 1},
            {"narrow rows", {9, 5}, 1},
            {"rows of periods", {3, 7, 3}, 1},
            {"rows wider than blocks", {3, 1030}, 1}};
  }

  static FakeQuantization Create(const Example& example, bool for_gradient = false) {
    const std::size_t channels = example.channel_count();
    std::vector<float> min(channels);
    std::vector<float> max(channels);
    for (std::size_t i = 0; i < channels; ++i) {
      // One of the channels is all zeros.
      min[i] = channels > 1 && i == 1 ? 0.0F : -1.0F - 0.1F * static_cast<float>(i % 9);
      max[i] = channels > 1 && i == 1 ? 0.0F : 1.5F + 0.2F * static_cast<float>(i % 7);
    }
    const Range range = {.min = min, .max = max, .axis = example.axis};
    return for_gradient ? *FakeQuantization::CreateForGradient(range, {})
                        : *FakeQuantization::Create(range, {});
  }

  std::vector<float> Values(std::size_t count) {
    std::normal_distribution<float> normal(0, 2);
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return normal(random_); });
    return values;
  }

  static TensorView View(const Example& example, const Pieces& pieces) {
    return {ElementType::kFloat32, example.shape, pieces.bytes()};
  }

  // Returns every offset in a small tensor, and the first ones in a large one.
  static std::vector<std::size_t> Cuts(std::size_t bytes) {
    std::vector<std::size_t> cuts(std::min<std::size_t>(bytes, 900));
    std::iota(cuts.begin(), cuts.end(), std::size_t{1});
    return cuts;
  }

  static std::vector<std::size_t> CutsEvery(std::size_t bytes, std::size_t element_count) {
    std::vector<std::size_t> cuts;
    for (std::size_t cut = bytes / 2 + 1; cut < element_count * sizeof(float); cut += bytes) {
      cuts.push_back(cut);
    }
    return cuts;
  }

 private:
  std::mt19937 random_{5};
};

TEST_F(TensorInPieces, GivesTheSameOutputWhereverTheCutIs) {
  for (const Example& example : Examples()) {
    const FakeQuantization quantization = Create(example);
    const std::vector<float> input = Values(example.element_count());
    const std::vector<float> expected = Apply(quantization, core::View(example.shape, input));
    for (const std::size_t cut : Cuts(input.size() * sizeof(float))) {
      const Pieces pieces(input, {&cut, 1});
      ASSERT_TRUE(SameBits(Apply(quantization, View(example, pieces)), expected))
          << example.name << ", cut at byte " << cut;
    }
  }
}

void ExpectSame(const AllGradients& actual, const AllGradients& expected) {
  ASSERT_TRUE(SameBits(actual.input, expected.input));
  ASSERT_TRUE(SameBits(actual.min, expected.min));
  ASSERT_TRUE(SameBits(actual.max, expected.max));
}

TEST_F(TensorInPieces, GivesTheSameGradientsWhereverTheCutsAre) {
  for (const Example& example : Examples()) {
    const FakeQuantization quantization = Create(example, /*for_gradient=*/true);
    const std::size_t bytes = example.element_count() * sizeof(float);
    const std::vector<float> gradients = Values(example.element_count());
    const std::vector<float> inputs = Values(example.element_count());
    const AllGradients expected = ApplyGradient(quantization, core::View(example.shape, gradients),
                                                core::View(example.shape, inputs));
    for (const std::size_t cut : Cuts(bytes)) {
      SCOPED_TRACE(example.name + ", cut at byte " + std::to_string(cut));
      const std::size_t cuts[] = {cut, cut + 131};
      const Pieces gradient_pieces(gradients, std::span(cuts).first(1));
      const Pieces input_pieces(inputs, std::span(cuts).first(cut + 131 < bytes ? 2 : 1));
      ExpectSame(
          ApplyGradient(quantization, View(example, gradient_pieces), View(example, input_pieces)),
          expected);
    }
  }
}

// The tensors are large enough for threads, and for stores that bypass the cache.
TEST_F(TensorInPieces, GivesTheSameBitsOnSeveralThreads) {
  WorkerPool pool(3);
  for (const Example& example : {Example{"columns", {3000, 1100}, 1}, {"run", {3300, 1000}, {}}}) {
    SCOPED_TRACE(example.name);
    const FakeQuantization quantization = Create(example);
    const std::vector<float> inputs = Values(example.element_count());
    const std::vector<float> gradients = Values(inputs.size());
    const Pieces input_pieces(inputs, CutsEvery(16381, inputs.size()));
    const Pieces gradient_pieces(gradients, CutsEvery(30011, gradients.size()));
    const TensorView whole_inputs = core::View(example.shape, inputs);
    EXPECT_TRUE(SameBits(Apply(quantization, View(example, input_pieces), &pool),
                         Apply(quantization, whole_inputs)));
    const FakeQuantization gradient = Create(example, /*for_gradient=*/true);
    ExpectSame(
        ApplyGradient(gradient, View(example, gradient_pieces), View(example, input_pieces), &pool),
        ApplyGradient(gradient, core::View(example.shape, gradients), whole_inputs));
  }
}

}  // namespace
}  // namespace quantd::core
