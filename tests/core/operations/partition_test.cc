#include "core/operations/partition.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quantd::core {
namespace {

// Returns layouts with short or long runs, few or many channels, and one or many
// rows, in sizes that blocks divide and in others.
std::vector<ChannelLayout> Layouts(bool long_runs) {
  std::vector<ChannelLayout> layouts;
  for (const std::size_t outer : {1U, 2U, 3U, 65U, 1000U}) {
    for (const std::size_t channels : {1U, 2U, 3U, 16U, 33U, 143U, 1024U, 2500U}) {
      for (const std::size_t inner : {1U, 2U, 9U, 63U, 64U, 70000U}) {
        const ChannelLayout layout{.outer = outer, .channels = channels, .inner = inner};
        if (layout.element_count() < 3'000'000 && HasLongRuns(layout) == long_runs) {
          layouts.push_back(layout);
        }
      }
    }
  }
  return layouts;
}

std::string Describe(const ChannelLayout& layout) {
  return std::to_string(layout.outer) + " x " + std::to_string(layout.channels) + " x " +
         std::to_string(layout.inner);
}

std::size_t ChannelOf(const ChannelLayout& layout, std::size_t element) {
  return element / layout.inner % layout.channels;
}

TEST(RunPartition, CoversEachElementOnceWithItsChannel) {
  for (const ChannelLayout& layout : Layouts(/*long_runs=*/true)) {
    SCOPED_TRACE(Describe(layout));
    const RunPartition partition(layout);
    std::size_t next_element = 0;
    std::size_t next_segment = 0;
    for (std::size_t b = 0; b < partition.block_count(); ++b) {
      const RunPartition::Block block = partition.block(b);
      ASSERT_EQ(block.first_segment, next_segment);
      for (std::size_t i = 0; i < block.segment_count; ++i) {
        const RunPartition::Segment segment = partition.segment(next_segment++);
        ASSERT_EQ(segment.first_element, next_element);
        ASSERT_EQ(segment.channel, ChannelOf(layout, segment.first_element));
        next_element += segment.element_count;
        ASSERT_EQ(segment.channel, ChannelOf(layout, next_element - 1));
      }
    }
    EXPECT_EQ(next_segment, partition.segment_count());
    std::size_t next_in_order = 0;
    partition.ForEachSegment([&](std::size_t segment, std::size_t channel) {
      ASSERT_EQ(segment, next_in_order++);
      ASSERT_EQ(channel, partition.segment(segment).channel);
    });
    EXPECT_EQ(next_in_order, partition.segment_count());
    EXPECT_EQ(next_element, layout.element_count());
  }
}

TEST(ColumnPartition, CoversEachElementOnceWithItsChannel) {
  for (const ChannelLayout& layout : Layouts(/*long_runs=*/false)) {
    SCOPED_TRACE(Describe(layout));
    const ColumnPartition partition(layout);
    std::vector<int> visits(layout.element_count());
    std::vector<std::size_t> channel_of;
    partition.ForEachColumn([&](std::size_t column, std::size_t channel) {
      ASSERT_EQ(column, channel_of.size());
      channel_of.push_back(channel);
    });
    const auto visit = [&](const ColumnPartition::Block& block, std::size_t first,
                           std::size_t columns) {
      for (std::size_t i = 0; i < columns; ++i) {
        ++visits.at(first + i);
        ASSERT_EQ(channel_of.at(block.first_column + i), ChannelOf(layout, first + i));
      }
    };
    for (std::size_t b = 0; b < partition.block_count(); ++b) {
      const ColumnPartition::Block block = partition.block(b);
      ASSERT_LE(block.columns, ColumnPartition::kBlockColumns);
      for (std::size_t row = 0; row < block.rows; ++row) {
        visit(block, partition.FirstElement(block) + row * partition.columns(), block.columns);
      }
      visit(block, partition.LastRowElement(block), block.last_row_columns);
    }
    EXPECT_EQ(visits, std::vector<int>(layout.element_count(), 1));
  }
}

TEST(ColumnPartition, HasRowsWithoutTailsIfPeriodsAllow) {
  EXPECT_EQ(ColumnPartition({.outer = 1000, .channels = 3, .inner = 1}).columns() % 16, 0U);
  EXPECT_EQ(ColumnPartition({.outer = 1000, .channels = 33, .inner = 1}).columns() % 16, 0U);
}

TEST(ColumnPartition, HasRowsNoLongerThanTheTensor) {
  // The tensor is one short row.
  const ColumnPartition partition({.outer = 1, .channels = 3, .inner = 1});
  EXPECT_EQ(partition.block_count(), 1U);
  EXPECT_EQ(partition.block(0).rows, 0U);
  EXPECT_EQ(partition.block(0).last_row_columns, 3U);
}

}  // namespace
}  // namespace quantd::core
