#include "core/operations/quantization_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "core/operations/partition.h"

namespace quantd::core {
namespace {

using testing::ElementsAre;

class Plan : public testing::Test {
 protected:
  static std::shared_ptr<const QuantizationPlan> Make(std::vector<float> min,
                                                      std::vector<float> max) {
    return *QuantizationPlan::Create(OperationKind::kFakeQuantize,
                                     Range{.min = min, .max = max, .axis = 1}, {},
                                     {ElementType::kFloat32, ElementType::kFloat32});
  }

  static ColumnPartition PartitionOf(std::size_t outer, std::size_t inner) {
    return ColumnPartition({.outer = outer, .channels = 3, .inner = inner});
  }

  const std::shared_ptr<const QuantizationPlan> shared_plan_ = Make({-1, 0, -2}, {1, 0, 2});
  const QuantizationPlan& plan_ = *shared_plan_;
};

TEST_F(Plan, HasTheParametersOfEachChannel) {
  EXPECT_EQ(plan_.channel_count(), 3U);
  EXPECT_EQ(plan_.rules().levels, 255);
  EXPECT_EQ(plan_.rules().step, StepFormula::kMultiply);
  EXPECT_EQ(plan_.channel(2).nudged_min, plan_.nudged_range()->min[2]);
  EXPECT_EQ(plan_.channel(2).inverse_scale, 255.0F / 4);
  EXPECT_EQ(plan_.channel(2).lowest_step, -static_cast<float>(plan_.nudged_range()->zero_point[2]));
  EXPECT_FALSE(plan_.IsZero(0));
  EXPECT_TRUE(plan_.IsZero(1));
}

TEST_F(Plan, RepeatsParametersOverTheColumnsOfARow) {
  const ColumnPartition partition = PartitionOf(9, 2);
  const auto columns = plan_.ColumnsFor(partition);
  ASSERT_EQ(columns->blocks.size(), (partition.columns() + 15) / 16);
  for (std::size_t column = 0; column < partition.columns(); ++column) {
    const kernels::ColumnParameters& block = columns->blocks[column / 16];
    const kernels::ChannelParameters& channel = plan_.channel(column / 2 % 3);
    ASSERT_EQ(block.scale[column % 16], channel.scale) << column;
    ASSERT_EQ(block.inverse_scale[column % 16], channel.inverse_scale) << column;
    ASSERT_EQ(block.lowest_step[column % 16], channel.lowest_step) << column;
  }
}

TEST_F(Plan, HasTheSameParametersForBlocksOfManyColumns) {
  // Every 7th is a channel of zeros.
  constexpr std::size_t kChannels = 5'000;
  std::vector<float> min(kChannels);
  std::vector<float> max(kChannels);
  for (std::size_t i = 0; i < kChannels; ++i) {
    max[i] = static_cast<float>(i % 7);
  }
  const auto plan = Make(min, max);
  for (const std::size_t inner : {1, 5, 33}) {
    const ColumnPartition partition({.outer = 3, .channels = kChannels, .inner = inner});
    const QuantizationPlan::BlockColumns block_columns(*plan, partition);
    std::vector<std::size_t> zero_columns;
    for (std::size_t index = 0; index < partition.block_count(); ++index) {
      const ColumnPartition::Block block = partition.block(index);
      block_columns.For(block, [&](const QuantizationPlan::Columns& columns, std::size_t first) {
        for (std::size_t i = 0; i < block.columns; ++i) {
          const std::size_t channel = (block.first_column + i) / inner % kChannels;
          ASSERT_EQ(columns.blocks[first + i / 16].scale[i % 16], plan->channel(channel).scale);
        }
        if (block.first_column == 0 && block.first_row == 0) {
          EXPECT_EQ(columns.blocks.size() > 64, partition.columns() <= (std::size_t{1} << 16))
              << "they are shared unless there are too many";
        }
        for (const std::size_t column : columns.zero_columns) {
          if (column >= block.first_column && column < block.first_column + block.columns) {
            zero_columns.push_back(column);
          }
        }
      });
    }
    EXPECT_EQ(zero_columns, plan->ColumnsFor(partition)->zero_columns);
  }
}

TEST_F(Plan, ListsTheColumnsOfChannelsOfZeros) {
  const auto columns = plan_.ColumnsFor(PartitionOf(9, 2));
  ASSERT_GE(columns->zero_columns.size(), 4U);
  EXPECT_THAT(std::vector(columns->zero_columns.begin(), columns->zero_columns.begin() + 4),
              ElementsAre(2, 3, 8, 9));
}

TEST_F(Plan, ExpandsOnceForTensorsThatDifferInTheirNumberOfRows) {
  const auto columns = plan_.ColumnsFor(PartitionOf(9, 2));
  EXPECT_EQ(plan_.ColumnsFor(PartitionOf(9, 2)), columns);
  EXPECT_EQ(plan_.ColumnsFor(PartitionOf(1, 2)), columns);
  EXPECT_EQ(plan_.ColumnsFor(PartitionOf(5000, 2)), columns);
}

TEST_F(Plan, ExpandsAgainForAnotherInnerSize) {
  const auto columns = plan_.ColumnsFor(PartitionOf(9, 2));
  const auto others = plan_.ColumnsFor(PartitionOf(9, 5));
  EXPECT_NE(others, columns);
  EXPECT_EQ(others->zero_columns.front(), 5U);
  EXPECT_EQ(columns->zero_columns.front(), 2U) << "columns in use do not change";
  EXPECT_EQ(plan_.ColumnsFor(PartitionOf(9, 2))->zero_columns.front(), 2U);
}

TEST_F(Plan, ExpandsForSeveralThreadsAtOnce) {
  std::vector<std::jthread> threads;
  for (std::size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t i = 0; i < 500; ++i) {
        const std::size_t inner = 1 + (thread + i) % 5;
        EXPECT_EQ(plan_.ColumnsFor(PartitionOf(9, inner))->zero_columns.front(), inner);
      }
    });
  }
}

}  // namespace
}  // namespace quantd::core
