#include "core/operations/partition.h"

#include <algorithm>
#include <numeric>

namespace quantd::core {
namespace {

// Runs that are shorter cost more to start than to work on.
constexpr std::size_t kLongRun = 64;

// The largest number of float32 lanes of a vector on common machines. Rows of a
// multiple of it have no tails.
constexpr std::size_t kLanes = 16;

std::size_t CeilDivide(std::size_t dividend, std::size_t divisor) {
  return (dividend + divisor - 1) / divisor;
}

// Rows of fewer elements do not keep the loops of the kernels busy.
constexpr std::size_t kRowElements = 64;

// Returns the number of periods in a row: enough for kRowElements, and such that
// the row is a multiple of kLanes, if a block is wide enough for that.
std::size_t PeriodsPerRow(std::size_t period) {
  const std::size_t aligning = kLanes / std::gcd(period, kLanes);
  const std::size_t periods = CeilDivide(kRowElements, period * aligning) * aligning;
  const std::size_t fitting = ColumnPartition::kBlockColumns / period;
  return std::max<std::size_t>(1, std::min(periods, fitting));
}

}  // namespace

bool HasLongRuns(const ChannelLayout& layout) {
  return layout.channels == 1 || layout.inner >= kLongRun;
}

RunPartition::RunPartition(const ChannelLayout& layout)
    : run_count_(layout.channels == 1 ? 1 : layout.outer * layout.channels),
      run_length_(layout.channels == 1 ? layout.outer * layout.inner : layout.inner),
      channels_(layout.channels),
      segments_per_run_(CeilDivide(run_length_, kBlockElements)),
      segments_per_block_(
          std::max<std::size_t>(1, kBlockElements / std::max<std::size_t>(1, run_length_))) {}

RunPartition::Segment RunPartition::segment(std::size_t index) const {
  // Most runs are one segment, which needs no division.
  const std::size_t run = segments_per_run_ == 1 ? index : index / segments_per_run_;
  const std::size_t begin = (index - run * segments_per_run_) * kBlockElements;
  return {.channel = channels_ == 1 ? 0 : run % channels_,
          .first_element = run * run_length_ + begin,
          .element_count = std::min(kBlockElements, run_length_ - begin)};
}

std::size_t RunPartition::block_count() const {
  return CeilDivide(segment_count(), segments_per_block_);
}

RunPartition::Block RunPartition::block(std::size_t index) const {
  const std::size_t first = index * segments_per_block_;
  return {.first_segment = first,
          .segment_count = std::min(segments_per_block_, segment_count() - first)};
}

ColumnPartition::ColumnPartition(const ChannelLayout& layout)
    : channels_(layout.channels),
      inner_(layout.inner),
      columns_(layout.channels * layout.inner * PeriodsPerRow(layout.channels * layout.inner)),
      full_rows_(layout.element_count() / columns_),
      last_row_columns_(layout.element_count() % columns_),
      rows_per_block_(kBlockElements / std::min(columns_, kBlockColumns)),
      column_blocks_(CeilDivide(columns_, kBlockColumns)),
      row_blocks_(CeilDivide(full_rows_ + (last_row_columns_ == 0 ? 0 : 1), rows_per_block_)) {}

ColumnPartition::Block ColumnPartition::block(std::size_t index) const {
  const std::size_t first_column = index / row_blocks_ * kBlockColumns;
  const std::size_t first_row = index % row_blocks_ * rows_per_block_;
  const std::size_t columns = std::min(kBlockColumns, columns_ - first_column);
  const std::size_t rows = std::min(rows_per_block_, full_rows_ - first_row);
  const bool has_last_row = first_row + rows == full_rows_ && rows < rows_per_block_;
  const std::size_t last_row_columns = has_last_row && last_row_columns_ > first_column
                                           ? std::min(columns, last_row_columns_ - first_column)
                                           : 0;
  return {.first_column = first_column,
          .columns = columns,
          .first_row = first_row,
          .rows = rows,
          .last_row_columns = last_row_columns};
}

}  // namespace quantd::core
