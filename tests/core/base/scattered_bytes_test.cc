#include "core/base/scattered_elements.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/fake_quantization.h"
#include "core/worker_pool.h"
#include "tests/core/same_bits.h"

namespace quantd::core {
namespace {

// Elements cut into pieces, each in memory of its own and at an address of its
// own kind.
class Pieces {
 public:
  Pieces(std::span<const float> elements, std::span<const std::size_t> cuts) {
    std::span<const std::byte> bytes = std::as_bytes(elements);
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
      const std::size_t end = i < cuts.size() ? cuts[i] : bytes.size();
      if (end > begin) {
        Add(bytes.subspan(begin, end - begin), i % sizeof(float));
      }
      begin = end;
    }
  }

  ScatteredElements elements() const { return ScatteredElements(pieces_); }

 private:
  void Add(std::span<const std::byte> bytes, std::size_t misalignment) {
    std::vector<std::byte>& memory = memory_.emplace_back(misalignment + bytes.size());
    std::memcpy(memory.data() + misalignment, bytes.data(), bytes.size());
    pieces_.emplace_back(std::span(memory).subspan(misalignment));
  }

  std::vector<std::vector<std::byte>> memory_;
  std::vector<ScatteredElements::Piece> pieces_;
};

std::vector<float> Counting(std::size_t count) {
  std::vector<float> elements(count);
  std::iota(elements.begin(), elements.end(), 1.0F);
  return elements;
}

std::vector<float> Read(const ScatteredElements::Run& run) {
  std::vector<float> elements(run.count);
  std::memcpy(elements.data(), run.elements.bytes(), run.count * sizeof(float));
  return elements;
}

TEST(ScatteredElements, CountWholeElements) {
  const std::vector<float> elements = Counting(5);
  EXPECT_EQ(ScatteredElements(elements).size(), 5U);
  const ScatteredElements::Piece pieces[] = {std::as_bytes(std::span(elements)).first(3),
                                             std::as_bytes(std::span(elements)).first(6)};
  EXPECT_EQ(ScatteredElements(pieces).size(), 2U);
  EXPECT_EQ(ScatteredElements(std::span<const ScatteredElements::Piece>()).size(), 0U);
}

TEST(ScatteredElements, InOnePieceAreOneRunWhereTheyLie) {
  const std::vector<float> elements = Counting(10);
  float scratch[4];
  const ScatteredElements scattered(elements);
  EXPECT_TRUE(scattered.in_one_piece());
  const ScatteredElements::Run run = scattered.RunFrom(3, 7, 4, scratch);
  EXPECT_EQ(run.count, 7U);
  EXPECT_EQ(run.elements.bytes(), std::as_bytes(std::span(elements)).data() + 3 * sizeof(float));
}

TEST(ScatteredElements, RunToTheLastUnitBeforeACut) {
  const std::vector<float> elements = Counting(20);
  const std::size_t cuts[] = {11 * sizeof(float) + 2};
  const Pieces pieces(elements, cuts);
  float scratch[4];
  const ScatteredElements::Run run = pieces.elements().RunFrom(1, 19, 4, scratch);
  EXPECT_EQ(Read(run), std::vector<float>(elements.begin() + 1, elements.begin() + 9));
}

TEST(ScatteredElements, AreBroughtTogetherAboutACut) {
  const std::vector<float> elements = Counting(20);
  for (std::size_t offset = 0; offset < sizeof(float); ++offset) {
    const std::size_t cuts[] = {10 * sizeof(float) + offset, 11 * sizeof(float) + 1};
    const Pieces pieces(elements, cuts);
    float scratch[4];
    const ScatteredElements::Run run = pieces.elements().RunFrom(9, 11, 4, scratch);
    EXPECT_EQ(Read(run), std::vector<float>(elements.begin() + 9, elements.begin() + 13));
  }
}

TEST(ScatteredElements, AreBroughtTogetherToTheirEnd) {
  const std::vector<float> elements = Counting(6);
  const std::size_t cuts[] = {5 * sizeof(float) + 1};
  const Pieces pieces(elements, cuts);
  float scratch[16];
  EXPECT_EQ(Read(pieces.elements().RunFrom(4, 2, 16, scratch)), (std::vector<float>{5, 6}));
}

TEST(ScatteredElements, AreCopiedAcrossCuts) {
  const std::vector<float> elements = Counting(9);
  const std::size_t cuts[] = {1, 5, 6, 30};
  const Pieces pieces(elements, cuts);
  for (std::size_t first = 0; first <= elements.size(); ++first) {
    for (std::size_t count = 0; first + count <= elements.size(); ++count) {
      std::vector<float> output(count);
      pieces.elements().CopyTo(first, output);
      EXPECT_TRUE(SameBits(output, std::span(elements).subspan(first, count)));
    }
  }
}

// Tensors of all layouts that are worked on in different ways, quantized from
// pieces and in one piece.
class QuantizationOfPieces : public testing::Test {
 protected:
  struct Example {
    std::string name;
    std::vector<std::int64_t> shape;
    std::optional<std::int32_t> axis;
  };

  static std::vector<Example> Examples() {
    return {{"per tensor", {201}, std::nullopt},
            {"long runs", {2, 3, 70}, 1},
            {"narrow rows", {9, 5}, -1},
            {"rows of periods", {3, 7, 3}, 1},
            {"rows wider than blocks", {3, 1030}, 1}};
  }

  explicit QuantizationOfPieces() : random_(5) {}

  std::vector<float> Values(std::size_t count) {
    std::normal_distribution<float> normal(0, 2);
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return normal(random_); });
    return values;
  }

  static FakeQuantization Create(const Example& example) {
    const std::size_t channels =
        example.axis.has_value()
            ? static_cast<std::size_t>(
                  example.shape[*example.axis < 0 ? example.shape.size() - 1
                                                  : static_cast<std::size_t>(*example.axis)])
            : 1;
    std::vector<float> min(channels);
    std::vector<float> max(channels);
    for (std::size_t i = 0; i < channels; ++i) {
      // A channel of zeros among them.
      min[i] = channels > 1 && i == 1 ? 0.0F : -1.0F - 0.1F * static_cast<float>(i % 9);
      max[i] = channels > 1 && i == 1 ? 0.0F : 1.5F + 0.2F * static_cast<float>(i % 7);
    }
    return *FakeQuantization::Create(example.shape, {.min = min, .max = max, .axis = example.axis},
                                     {});
  }

  // At every offset for tensors that are not large, else about the first ones.
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

  std::mt19937 random_;
};

TEST_F(QuantizationOfPieces, GivesTheSameBitsWhereverTheCutIs) {
  for (const Example& example : Examples()) {
    const FakeQuantization quantization = Create(example);
    const std::vector<float> input = Values(quantization.element_count());
    std::vector<float> expected(input.size());
    ASSERT_TRUE(quantization.Apply(input, expected, nullptr).ok());
    for (const std::size_t cut : Cuts(input.size() * sizeof(float))) {
      const Pieces pieces(input, {&cut, 1});
      std::vector<float> output(input.size());
      ASSERT_TRUE(quantization.Apply(pieces.elements(), output, nullptr).ok());
      ASSERT_TRUE(SameBits(output, expected)) << example.name << ", cut at byte " << cut;
    }
  }
}

TEST_F(QuantizationOfPieces, GivesTheSameGradientsWhereverTheCutsAre) {
  for (const Example& example : Examples()) {
    const FakeQuantization quantization = Create(example);
    const std::size_t count = quantization.element_count();
    const std::size_t channels = quantization.channel_count();
    const std::vector<float> gradients = Values(count);
    const std::vector<float> inputs = Values(count);
    const auto differentiate = [&](const ScatteredElements& from_gradients,
                                   const ScatteredElements& from_inputs) {
      std::vector<float> result(count + 2 * channels);
      const std::span<float> all(result);
      EXPECT_TRUE(quantization
                      .ApplyGradient(from_gradients, from_inputs,
                                     {.input = all.first(count),
                                      .min = all.last(2 * channels).first(channels),
                                      .max = all.last(channels)},
                                     nullptr)
                      .ok());
      return result;
    };
    const std::vector<float> expected =
        differentiate(ScatteredElements(gradients), ScatteredElements(inputs));
    for (const std::size_t cut : Cuts(count * sizeof(float))) {
      const std::size_t cuts[] = {cut, cut + 131};
      const Pieces gradient_pieces(gradients, std::span(cuts).first(1));
      const Pieces input_pieces(
          inputs, cut + 131 < count * sizeof(float) ? std::span(cuts) : std::span(cuts, 1));
      ASSERT_TRUE(
          SameBits(differentiate(gradient_pieces.elements(), input_pieces.elements()), expected))
          << example.name << ", cut at byte " << cut;
    }
  }
}

// Large enough for threads, and for stores that bypass the cache.
TEST_F(QuantizationOfPieces, GivesTheSameBitsOnSeveralThreads) {
  WorkerPool pool(3);
  for (const Example& example : {Example{"columns", {3000, 1100}, 1}, {"run", {3300, 1000}, {}}}) {
    const FakeQuantization quantization = Create(example);
    const std::vector<float> inputs = Values(quantization.element_count());
    const std::vector<float> gradients = Values(inputs.size());
    const Pieces input_pieces(inputs, CutsEvery(16381, inputs.size()));
    const Pieces gradient_pieces(gradients, CutsEvery(30011, gradients.size()));
    std::vector<float> expected(inputs.size());
    std::vector<float> output(inputs.size());
    ASSERT_TRUE(quantization.Apply(inputs, expected, nullptr).ok());
    ASSERT_TRUE(quantization.Apply(input_pieces.elements(), output, &pool).ok());
    EXPECT_TRUE(SameBits(output, expected)) << example.name;

    std::vector<float> range_gradients(4 * quantization.channel_count());
    const std::span<float> expected_range =
        std::span(range_gradients).first(range_gradients.size() / 2);
    const std::span<float> range = std::span(range_gradients).last(range_gradients.size() / 2);
    const auto gradients_into = [&](std::span<float> input, std::span<float> min_and_max) {
      const std::size_t channels = quantization.channel_count();
      return FakeQuantization::Gradients{
          .input = input, .min = min_and_max.first(channels), .max = min_and_max.last(channels)};
    };
    ASSERT_TRUE(quantization
                    .ApplyGradient(ScatteredElements(gradients), ScatteredElements(inputs),
                                   gradients_into(expected, expected_range), nullptr)
                    .ok());
    ASSERT_TRUE(quantization
                    .ApplyGradient(gradient_pieces.elements(), input_pieces.elements(),
                                   gradients_into(output, range), &pool)
                    .ok());
    EXPECT_TRUE(SameBits(output, expected)) << example.name;
    EXPECT_TRUE(SameBits(range, expected_range)) << example.name;
  }
}

}  // namespace
}  // namespace quantd::core
