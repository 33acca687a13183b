#include "client/library/tensor_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "core/fake_quantization.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

std::vector<TensorPart> AllParts(const core::ChannelLayout& layout, bool has_axis,
                                 std::size_t max_elements) {
  TensorParts parts({layout}, has_axis, {.max_elements = max_elements});
  std::vector<TensorPart> all;
  while (const std::optional<TensorPart> part = parts.Next()) {
    all.push_back(*part);
  }
  return all;
}

std::vector<TensorPart> AllPartsWithin(const core::ParameterLayout& layout,
                                       const PartLimits& limits) {
  TensorParts parts(layout, true, limits);
  std::vector<TensorPart> all;
  while (const std::optional<TensorPart> part = parts.Next()) {
    all.push_back(*part);
  }
  return all;
}

std::vector<std::vector<std::int64_t>> Shapes(const std::vector<TensorPart>& parts) {
  std::vector<std::vector<std::int64_t>> shapes;
  shapes.reserve(parts.size());
  for (const TensorPart& part : parts) {
    shapes.emplace_back(part.shape().begin(), part.shape().end());
  }
  return shapes;
}

TEST(TensorParts, AreRunsOfElementsWithoutAnAxis) {
  const auto parts = AllParts({.outer = 1, .channels = 1, .inner = 10}, false, 4);
  EXPECT_THAT(Shapes(parts), ElementsAre(ElementsAre(4), ElementsAre(4), ElementsAre(2)));
  EXPECT_FALSE(parts[0].axis.has_value());
}

TEST(TensorParts, AreWholeRowsIfRowsAreSmallEnough) {
  const auto parts = AllParts({.outer = 5, .channels = 3, .inner = 2}, true, 13);
  EXPECT_THAT(Shapes(parts),
              ElementsAre(ElementsAre(2, 3, 2), ElementsAre(2, 3, 2), ElementsAre(1, 3, 2)));
  EXPECT_EQ(parts[1].axis, 1);
  EXPECT_TRUE(parts[1].HasParametersOf(parts[0]));
}

TEST(TensorParts, AreWholeChannelsOfARowIfChannelsAreSmallEnough) {
  const auto parts = AllParts({.outer = 2, .channels = 3, .inner = 4}, true, 9);
  EXPECT_THAT(Shapes(parts), ElementsAre(ElementsAre(2, 4), ElementsAre(1, 4), ElementsAre(2, 4),
                                         ElementsAre(1, 4)));
  EXPECT_EQ(parts[1].axis, 0);
  EXPECT_EQ(parts[1].first_parameter, 2U);
  EXPECT_FALSE(parts[1].HasParametersOf(parts[0]));
  EXPECT_TRUE(parts[2].HasParametersOf(parts[0]));
}

TEST(TensorParts, ArePiecesOfAChannelIfChannelsAreTooLarge) {
  const auto parts = AllParts({.outer = 1, .channels = 2, .inner = 9}, true, 8);
  EXPECT_THAT(Shapes(parts), ElementsAre(ElementsAre(1, 5), ElementsAre(1, 4), ElementsAre(1, 5),
                                         ElementsAre(1, 4)));
  EXPECT_TRUE(parts[1].HasParametersOf(parts[0]));
  EXPECT_EQ(parts[2].first_parameter, 1U);
  EXPECT_EQ(parts[2].axis, 0);
}

TEST(TensorParts, BeginWithAByteOfPackedCodes) {
  const auto parts = [](const core::ChannelLayout& layout, std::size_t max_elements) {
    return AllPartsWithin({layout}, {.max_elements = max_elements, .alignment = 2});
  };
  // Rows of three codes: pairs of rows, although a row alone would be small enough.
  EXPECT_THAT(Shapes(parts({.outer = 5, .channels = 3, .inner = 1}, 3)),
              ElementsAre(ElementsAre(2, 3, 1), ElementsAre(2, 3, 1), ElementsAre(1, 3, 1)));
  // Channels of three codes, in one row.
  EXPECT_THAT(Shapes(parts({.outer = 1, .channels = 5, .inner = 3}, 3)),
              ElementsAre(ElementsAre(2, 3), ElementsAre(2, 3), ElementsAre(1, 3)));
  // The second of these rows would begin within a byte: it is not cut into channels.
  EXPECT_THAT(Shapes(parts({.outer = 2, .channels = 3, .inner = 3}, 3)),
              ElementsAre(ElementsAre(2, 3, 3)));
  // Pieces of a channel.
  EXPECT_THAT(
      Shapes(parts({.outer = 1, .channels = 2, .inner = 8}, 3)),
      ElementsAre(ElementsAre(1, 2), ElementsAre(1, 2), ElementsAre(1, 2), ElementsAre(1, 2),
                  ElementsAre(1, 2), ElementsAre(1, 2), ElementsAre(1, 2), ElementsAre(1, 2)));
}

TEST(TensorParts, HaveSeveralChannelsIfOneAloneIsComputedDifferently) {
  const auto parts = [](const core::ChannelLayout& layout, std::size_t max_elements) {
    return AllPartsWithin({layout}, {.max_elements = max_elements, .min_channels = 2});
  };
  EXPECT_THAT(Shapes(parts({.outer = 1, .channels = 5, .inner = 4}, 1)),
              ElementsAre(ElementsAre(2, 4), ElementsAre(3, 4)));
  EXPECT_THAT(Shapes(parts({.outer = 1, .channels = 3, .inner = 4}, 8)),
              ElementsAre(ElementsAre(3, 4)));
  // A tensor of one channel may be cut anywhere.
  EXPECT_THAT(Shapes(parts({.outer = 1, .channels = 1, .inner = 4}, 2)),
              ElementsAre(ElementsAre(1, 2), ElementsAre(1, 2)));
}

TEST(TensorParts, OfBlocksAreWholeRowsBlocksLinesOfABlockOrPiecesOfALine) {
  const core::ParameterLayout layout{.channels = {.outer = 2, .channels = 5, .inner = 4},
                                     .block_size = 2};
  const auto shapes = [&](std::size_t max_elements) {
    return Shapes(AllPartsWithin(layout, {.max_elements = max_elements}));
  };
  EXPECT_THAT(shapes(20), ElementsAre(ElementsAre(1, 5, 4), ElementsAre(1, 5, 4)));
  EXPECT_THAT(shapes(16), ElementsAre(ElementsAre(4, 4), ElementsAre(1, 4), ElementsAre(4, 4),
                                      ElementsAre(1, 4)));
  EXPECT_THAT(shapes(4), Contains(ElementsAre(1, 4)).Times(10));
  EXPECT_THAT(shapes(2), Contains(ElementsAre(1, 2)).Times(20));
  const auto blocks = AllPartsWithin(layout, {.max_elements = 16});
  EXPECT_EQ(blocks[0].axis, 0);
  EXPECT_EQ(blocks[0].block_size, 2U);
  // Two blocks with a scale for each of the four elements of a line, and one.
  EXPECT_EQ(blocks[0].parameter_count, 8U);
  EXPECT_EQ(blocks[1].first_parameter, 8U);
  EXPECT_EQ(blocks[1].parameter_count, 4U);
  EXPECT_EQ(blocks[2].first_parameter, 12U);
  const auto lines = AllPartsWithin(layout, {.max_elements = 4});
  EXPECT_TRUE(lines[1].HasParametersOf(lines[0]));
  EXPECT_FALSE(lines[2].HasParametersOf(lines[1]));
}

TEST(TensorParts, AreNoneForATensorWithoutElements) {
  for (const core::ChannelLayout layout : {core::ChannelLayout{.outer = 0},
                                           {.outer = 1, .channels = 0, .inner = 1},
                                           {.outer = 1, .channels = 1, .inner = 0}}) {
    EXPECT_TRUE(AllParts(layout, true, 5).empty());
    EXPECT_TRUE(AllParts(layout, false, 5).empty());
  }
}

TEST(EmptyPart, HasAllChannelsAndNoElements) {
  const core::ChannelLayout layout{.outer = 2, .channels = 3, .inner = 4};
  const TensorPart with_axis = EmptyPart(layout, true);
  EXPECT_THAT(with_axis.shape(), ElementsAre(0, 3, 1));
  EXPECT_EQ(with_axis.axis, 1);
  EXPECT_EQ(with_axis.parameter_count, 3U);
  EXPECT_EQ(with_axis.element_count, 0U);
  const TensorPart without_axis = EmptyPart({.inner = 24}, false);
  EXPECT_THAT(without_axis.shape(), ElementsAre(0));
  EXPECT_FALSE(without_axis.axis.has_value());
  EXPECT_EQ(without_axis.parameter_count, 1U);
}

TEST(EmptyPart, HasTheRangeOfWholeRowsButNotOfAChannelAlongAnotherAxis) {
  const core::ChannelLayout rows{.outer = 4, .channels = 1, .inner = 2};
  EXPECT_TRUE(EmptyPart(rows, true).HasParametersOf(AllParts(rows, true, 2).front()));
  EXPECT_FALSE(EmptyPart(rows, true).HasParametersOf(AllParts(rows, true, 1).front()));
}

TEST(TensorParts, ContainPartsOfTheRangeForTenMillionChannels) {
  constexpr std::size_t kChannels = 10'000'000;
  const auto parts = AllParts({.outer = 1, .channels = kChannels, .inner = 1}, true, 1 << 18);
  EXPECT_EQ(parts.size(), 39U);
  std::size_t next_channel = 0;
  for (const TensorPart& part : parts) {
    EXPECT_EQ(part.first_parameter, next_channel);
    next_channel += part.parameter_count;
  }
  EXPECT_EQ(next_channel, kChannels);
}

TEST(TensorParts, AreCorrectBeyondTwoToThe32Elements) {
  const core::ChannelLayout layout{.outer = 3, .channels = 2, .inner = std::size_t{1} << 31U};
  const auto parts = AllParts(layout, true, std::size_t{1} << 28U);
  ASSERT_EQ(parts.size(), 48U);
  EXPECT_EQ(parts.back().first_element + parts.back().element_count, layout.element_count());
  EXPECT_EQ(parts.back().first_parameter, 1U);
}

struct Case {
  std::vector<std::int64_t> shape;
  std::optional<std::int32_t> axis;
  std::size_t max_elements;
};

std::vector<std::optional<std::int32_t>> AxesOf(const std::vector<std::int64_t>& shape) {
  std::vector<std::optional<std::int32_t>> axes = {std::nullopt};
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    axes.emplace_back(static_cast<std::int32_t>(axis));
    axes.emplace_back(static_cast<std::int32_t>(axis) - static_cast<std::int32_t>(shape.size()));
  }
  return axes;
}

std::vector<Case> AllCases() {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {1},     {7},       {64},      {1, 1},       {5, 1},       {1, 5},         {6, 7},
      {31, 3}, {2, 3, 4}, {3, 1, 5}, {4, 3, 2, 5}, {1, 9, 1, 2}, {2, 2, 2, 2, 2}};
  std::vector<Case> cases;
  for (const auto& shape : shapes) {
    for (const std::optional<std::int32_t> axis : AxesOf(shape)) {
      for (const std::size_t max_elements : {1U, 2U, 3U, 5U, 8U, 16U, 33U, 1000U}) {
        cases.push_back({.shape = shape, .axis = axis, .max_elements = max_elements});
      }
    }
  }
  return cases;
}

std::string NameOf(const Case& example) {
  std::string name = "shape";
  for (const std::int64_t dimension : example.shape) {
    name += " " + std::to_string(dimension);
  }
  return name + (example.axis ? " axis " + std::to_string(*example.axis) : " no axis") +
         ", at most " + std::to_string(example.max_elements);
}

TEST(TensorParts, CoverEveryElementOnceInOrderAndAreSmallEnough) {
  for (const Case& example : AllCases()) {
    SCOPED_TRACE(NameOf(example));
    const core::ChannelLayout layout = core::MakeChannelLayout(example.shape, example.axis).value();
    const auto parts = AllParts(layout, example.axis.has_value(), example.max_elements);
    std::size_t next_element = 0;
    for (const TensorPart& part : parts) {
      EXPECT_EQ(part.first_element, next_element);
      EXPECT_GE(part.element_count, 1U);
      EXPECT_LE(part.element_count, example.max_elements);
      EXPECT_EQ(core::ElementCount(part.shape()).value(), part.element_count);
      EXPECT_EQ(part.axis.has_value(), example.axis.has_value());
      EXPECT_LE(part.first_parameter + part.parameter_count, layout.channels);
      next_element += part.element_count;
    }
    EXPECT_EQ(next_element, layout.element_count());
  }
}

class CaseTensor {
 public:
  // `may_be_zero` says whether some channels have the range [0, 0].
  explicit CaseTensor(const Case& example, bool may_be_zero = true) {
    const core::ChannelLayout layout = core::MakeChannelLayout(example.shape, example.axis).value();
    std::uniform_real_distribution<float> bound(0.1F, 3);
    for (std::size_t channel = 0; channel < layout.channels; ++channel) {
      // In one of four channels, all values are zero.
      const bool is_zero = random_() % 4 == 0 && may_be_zero;
      min_.push_back(is_zero ? 0 : -bound(random_));
      max_.push_back(is_zero ? 0 : bound(random_));
    }
    std::uniform_real_distribution<float> value(-4, 4);
    values_.resize(layout.element_count());
    std::ranges::generate(values_, [&] { return value(random_); });
    values_.front() = std::numeric_limits<float>::quiet_NaN();
    values_.back() = std::numeric_limits<float>::infinity();
    range_ = {.min = min_, .max = max_, .axis = example.axis};
  }

  CaseTensor(const CaseTensor&) = delete;
  CaseTensor& operator=(const CaseTensor&) = delete;

  const core::Range& range() const { return range_; }
  std::span<const float> values() const { return values_; }

 private:
  std::mt19937 random_{42};  // NOLINT(bugprone-random-generator-seed)
  std::vector<float> min_;
  std::vector<float> max_;
  std::vector<float> values_;
  core::Range range_;
};

std::vector<float> Quantized(std::span<const std::int64_t> shape,
                             const core::QuantizationParameters& parameters,
                             const core::QuantizationSpec& spec, std::span<const float> values) {
  const auto quantization = core::FakeQuantization::Create(parameters, spec);
  EXPECT_TRUE(quantization.ok()) << quantization.status();
  std::vector<float> output(values.size());
  const absl::Status status =
      quantization->Apply(core::TensorView(shape, values), std::span(output), nullptr);
  EXPECT_TRUE(status.ok()) << status;
  return output;
}

void ExpectTheBitsOfTheWhole(const Case& example, const core::QuantizationSpec& spec) {
  const CaseTensor tensor(example);
  const core::ChannelLayout layout = core::MakeChannelLayout(example.shape, example.axis).value();
  std::vector<float> together;
  for (const TensorPart& part : AllParts(layout, example.axis.has_value(), example.max_elements)) {
    const std::vector<float> output =
        Quantized(part.shape(), part.ParametersOf(tensor.range()), spec,
                  tensor.values().subspan(part.first_element, part.element_count));
    together.insert(together.end(), output.begin(), output.end());
  }
  EXPECT_TRUE(
      core::SameBits(together, Quantized(example.shape, tensor.range(), spec, tensor.values())));
}

TEST(TensorParts, GiveTheSameBitsAsTheWholeTensor) {
  for (const Case& example : AllCases()) {
    SCOPED_TRACE(NameOf(example));
    for (const auto numerics : {core::Numerics::kTensorFlow, core::Numerics::kTensorFlowArgs}) {
      ExpectTheBitsOfTheWhole(example, {.num_bits = 5, .numerics = numerics});
    }
  }
}

TEST(TensorParts, GiveTheSameBitsForNumericsThatCountChannels) {
  for (const Case& example : AllCases()) {
    SCOPED_TRACE(NameOf(example));
    const CaseTensor tensor(example, false);
    const core::QuantizationSpec spec{.num_bits = 5, .numerics = core::Numerics::kKerasJax};
    const core::ChannelLayout layout = core::MakeChannelLayout(example.shape, example.axis).value();
    TensorParts parts({layout}, example.axis.has_value(),
                      {.max_elements = example.max_elements, .min_channels = 2});
    std::vector<float> together;
    while (const std::optional<TensorPart> part = parts.Next()) {
      const std::vector<float> output =
          Quantized(part->shape(), part->ParametersOf(tensor.range()), spec,
                    tensor.values().subspan(part->first_element, part->element_count));
      together.insert(together.end(), output.begin(), output.end());
    }
    EXPECT_TRUE(
        core::SameBits(together, Quantized(example.shape, tensor.range(), spec, tensor.values())));
  }
}

// Numbers the parameters of a tensor.
std::vector<float> NumberedScales(std::size_t count) {
  std::vector<float> scales(count);
  std::iota(scales.begin(), scales.end(), 1.0F);
  return scales;
}

// The number of each element's parameters, in all parts.
std::vector<float> ParametersInParts(const std::vector<TensorPart>& parts,
                                     const core::AffineParameters& whole, std::size_t alignment) {
  std::vector<float> numbers;
  for (const TensorPart& part : parts) {
    EXPECT_EQ(part.first_element, numbers.size());
    EXPECT_EQ(part.first_element % alignment, 0U);
    const auto share = std::get<core::AffineParameters>(part.ParametersOf(whole));
    const auto layout = core::MakeParameterLayout(part.shape(), share);
    EXPECT_TRUE(layout.ok()) << layout.status();
    EXPECT_EQ(layout->element_count(), part.element_count);
    EXPECT_EQ(layout->parameter_count(), share.scale.size());
    for (std::size_t i = 0; i < part.element_count; ++i) {
      numbers.push_back(share.scale[layout->ParameterOf(i)]);
    }
  }
  return numbers;
}

TEST(TensorParts, GiveEveryElementItsOwnParametersForAnyBlocksAndAlignment) {
  for (const Case& example : AllCases()) {
    if (!example.axis.has_value()) {
      continue;
    }
    for (const std::uint32_t block_size : {1U, 2U, 3U, 4U, 100U}) {
      SCOPED_TRACE(NameOf(example) + ", blocks of " + std::to_string(block_size));
      core::AffineParameters whole{.scale = {}, .axis = example.axis, .block_size = block_size};
      const core::ParameterLayout layout = core::MakeParameterLayout(example.shape, whole).value();
      const std::vector<float> scales = NumberedScales(layout.parameter_count());
      whole.scale = scales;
      std::vector<float> expected;
      for (std::size_t i = 0; i < layout.element_count(); ++i) {
        expected.push_back(scales[layout.ParameterOf(i)]);
      }
      for (const std::size_t alignment : {1U, 2U, 4U}) {
        EXPECT_EQ(ParametersInParts(AllPartsWithin(layout, {.max_elements = example.max_elements,
                                                            .alignment = alignment}),
                                    whole, alignment),
                  expected);
      }
    }
  }
}

TEST(TensorParts, GiveEveryElementItsOwnParametersForAnyAlignmentOfChannels) {
  for (const Case& example : AllCases()) {
    SCOPED_TRACE(NameOf(example));
    core::AffineParameters whole{.scale = {}, .axis = example.axis};
    const core::ParameterLayout layout = core::MakeParameterLayout(example.shape, whole).value();
    const std::vector<float> scales = NumberedScales(layout.parameter_count());
    whole.scale = scales;
    std::vector<float> expected;
    for (std::size_t i = 0; i < layout.element_count(); ++i) {
      expected.push_back(scales[layout.ParameterOf(i)]);
    }
    for (const std::size_t alignment : {1U, 2U, 4U}) {
      TensorParts parts(layout, example.axis.has_value(),
                        {.max_elements = example.max_elements, .alignment = alignment});
      std::vector<TensorPart> all;
      while (const std::optional<TensorPart> part = parts.Next()) {
        all.push_back(*part);
      }
      EXPECT_EQ(ParametersInParts(all, whole, alignment), expected);
    }
  }
}

}  // namespace
}  // namespace quantd::client
