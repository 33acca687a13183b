#include "core/base/scattered_bytes.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#include "tests/core/pieces.h"

namespace quantd::core {
namespace {

using FloatRun = ScatteredBytes::Run<float>;

std::vector<float> Counting(std::size_t count) {
  std::vector<float> elements(count);
  std::iota(elements.begin(), elements.end(), 1.0F);
  return elements;
}

std::vector<float> Read(const FloatRun& run) {
  std::vector<float> elements(run.count);
  std::memcpy(elements.data(), run.elements.bytes(), run.count * sizeof(float));
  return elements;
}

TEST(ScatteredBytes, AddUpTheSizesOfTheirPieces) {
  const std::vector<float> elements = Counting(5);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(elements));
  ScatteredBytes scattered(bytes.first(3));
  EXPECT_EQ(scattered.size(), 3U);
  EXPECT_TRUE(scattered.in_one_piece());
  scattered.Add(bytes.first(6));
  EXPECT_EQ(scattered.size(), 9U);
  EXPECT_FALSE(scattered.in_one_piece());
  EXPECT_EQ(scattered.front(), bytes.data());
}

TEST(ScatteredBytes, IgnoreEmptyPieces) {
  const std::vector<float> elements = Counting(2);
  EXPECT_EQ(ScatteredBytes(ScatteredBytes::Piece()).pieces().size(), 0U);
  ScatteredBytes scattered;
  scattered.Add({});
  EXPECT_EQ(scattered.size(), 0U);
  EXPECT_TRUE(scattered.in_one_piece());
  EXPECT_EQ(scattered.front(), nullptr);
  scattered.Add(std::as_bytes(std::span(elements)));
  scattered.Add({});
  EXPECT_TRUE(scattered.in_one_piece());
  EXPECT_EQ(scattered.pieces().size(), 1U);
}

TEST(ScatteredBytes, ReturnOneRunInPlaceIfTheyAreInOnePiece) {
  const std::vector<float> elements = Counting(10);
  float scratch[4];
  const ScatteredBytes scattered(std::as_bytes(std::span(elements)));
  const FloatRun run = scattered.RunFrom<float>(3, 7, 4, scratch);
  EXPECT_EQ(run.count, 7U);
  EXPECT_EQ(run.elements.bytes(), std::as_bytes(std::span(elements)).data() + 3 * sizeof(float));
}

TEST(ScatteredBytes, EndARunAtTheLastUnitBeforeACut) {
  const std::vector<float> elements = Counting(20);
  const std::size_t cuts[] = {11 * sizeof(float) + 2};
  const Pieces pieces(elements, cuts);
  float scratch[4];
  const FloatRun run = pieces.bytes().RunFrom<float>(1, 19, 4, scratch);
  EXPECT_EQ(Read(run), std::vector<float>(elements.begin() + 1, elements.begin() + 9));
}

TEST(ScatteredBytes, CopyAUnitThatLiesAcrossACut) {
  const std::vector<float> elements = Counting(20);
  for (std::size_t offset = 0; offset < sizeof(float); ++offset) {
    const std::size_t cuts[] = {10 * sizeof(float) + offset, 11 * sizeof(float) + 1};
    const Pieces pieces(elements, cuts);
    float scratch[4];
    const FloatRun run = pieces.bytes().RunFrom<float>(9, 11, 4, scratch);
    EXPECT_EQ(Read(run), std::vector<float>(elements.begin() + 9, elements.begin() + 13));
  }
}

TEST(ScatteredBytes, CopyFewerThanAUnitAtTheEnd) {
  const std::vector<float> elements = Counting(6);
  const std::size_t cuts[] = {5 * sizeof(float) + 1};
  const Pieces pieces(elements, cuts);
  float scratch[16];
  EXPECT_EQ(Read(pieces.bytes().RunFrom<float>(4, 2, 16, scratch)), (std::vector<float>{5, 6}));
}

TEST(ScatteredBytes, ReadElementsOfAnyType) {
  const std::vector<std::uint16_t> elements = {1, 2, 3, 4, 5};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(elements));
  ScatteredBytes scattered(bytes.first(5));
  scattered.Add(bytes.subspan(5));
  std::vector<std::uint16_t> output(3);
  scattered.CopyTo(1, std::span(output));
  EXPECT_EQ(output, (std::vector<std::uint16_t>{2, 3, 4}));
  std::uint16_t scratch[1];
  EXPECT_EQ(scattered.RunFrom<std::uint16_t>(0, 5, 1, scratch).count, 2U);
}

TEST(ScatteredBytes, CopyElementsAcrossCuts) {
  const std::vector<float> elements = Counting(9);
  const std::size_t cuts[] = {1, 5, 6, 30};
  const Pieces pieces(elements, cuts);
  for (std::size_t first = 0; first <= elements.size(); ++first) {
    for (std::size_t count = 0; first + count <= elements.size(); ++count) {
      std::vector<float> output(count);
      pieces.bytes().CopyTo(first, std::span(output));
      const auto begin = elements.begin() + static_cast<std::ptrdiff_t>(first);
      EXPECT_EQ(output, std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(count)));
    }
  }
}

}  // namespace
}  // namespace quantd::core
