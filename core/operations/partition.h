// How tensors are cut into blocks for the kernels and the worker threads.
//
// The cuts follow from the shape alone, never from the number of threads or the
// width of a vector. Sums that are taken block by block, and then added in the
// order of the blocks, are therefore the same bits everywhere.

#ifndef QUANTD_CORE_OPERATIONS_PARTITION_H_
#define QUANTD_CORE_OPERATIONS_PARTITION_H_

#include <cstddef>

#include "core/tensor_shape.h"

namespace quantd::core {

// The approximate number of elements of a block: few enough for the second-level
// cache to hold input and output, and enough to be worth handing to a thread.
inline constexpr std::size_t kBlockElements = std::size_t{64} * 1024;

// Returns whether the channels of `layout` are runs that are long enough to be
// worked on one by one, with constant parameters (RunPartition). Otherwise the
// parameters vary along a vector (ColumnPartition).
bool HasLongRuns(const ChannelLayout& layout);

// A tensor as a sequence of runs. Each run is the elements of one channel that lie
// together; run r belongs to channel r modulo the number of channels. Long runs
// are cut into segments of kBlockElements. A block is one such segment, or
// several short runs.
class RunPartition {
 public:
  // `layout` has at least one element.
  explicit RunPartition(const ChannelLayout& layout);

  struct Segment {
    std::size_t channel;
    std::size_t first_element;
    std::size_t element_count;
  };

  std::size_t segment_count() const { return run_count_ * segments_per_run_; }
  Segment segment(std::size_t index) const;

  // Calls function(index of the segment, channel) for each segment in order.
  template <typename Function>
  void ForEachSegment(Function function) const {
    for (std::size_t index = 0; index < segment_count();) {
      for (std::size_t channel = 0; channel < channels_; ++channel) {
        for (std::size_t i = 0; i < segments_per_run_; ++i) {
          function(index++, channel);
        }
      }
    }
  }

  std::size_t block_count() const;
  // The segments first_segment to first_segment + segment_count - 1.
  struct Block {
    std::size_t first_segment;
    std::size_t segment_count;
  };
  Block block(std::size_t index) const;

 private:
  std::size_t run_count_;
  std::size_t run_length_;
  std::size_t channels_;
  std::size_t segments_per_run_;
  std::size_t segments_per_block_;
};

// A tensor as rows of columns() elements. A row is one or more whole periods of
// channels x inner elements, so that each column belongs to one channel. The last
// row may be shorter, by whole periods. Blocks are rectangles of it.
class ColumnPartition {
 public:
  // `layout` has at least one element.
  explicit ColumnPartition(const ChannelLayout& layout);

  // The largest width of a block: the parameters of as many columns fit into the
  // first-level cache.
  static constexpr std::size_t kBlockColumns = 1024;

  std::size_t channels() const { return channels_; }
  std::size_t inner() const { return inner_; }
  // The number of columns. Follows from the layout's channels and inner alone.
  std::size_t columns() const { return columns_; }

  // The channel of a column.
  std::size_t ChannelOf(std::size_t column) const { return column / inner_ % channels_; }

  // Calls function(column, channel) for every column from left to right.
  template <typename Function>
  void ForEachColumn(Function function) const {
    for (std::size_t column = 0; column < columns_;) {
      for (std::size_t channel = 0; channel < channels_; ++channel) {
        for (std::size_t i = 0; i < inner_; ++i) {
          function(column++, channel);
        }
      }
    }
  }

  struct Block {
    std::size_t first_column;
    std::size_t columns;
    std::size_t first_row;
    // The number of rows that have all of the columns.
    std::size_t rows;
    // The number of columns of the row after these; 0 if there is none.
    std::size_t last_row_columns;
  };

  // Blocks are numbered from top to bottom, then from left to right: block b is
  // the one in column b / row_blocks() and row b % row_blocks() of blocks.
  std::size_t block_count() const { return column_blocks_ * row_blocks_; }
  std::size_t row_blocks() const { return row_blocks_; }
  Block block(std::size_t index) const;

  // The index of the first element of the block, and of that of its last, shorter
  // row.
  std::size_t FirstElement(const Block& block) const {
    return block.first_row * columns_ + block.first_column;
  }
  std::size_t LastRowElement(const Block& block) const {
    return (block.first_row + block.rows) * columns_ + block.first_column;
  }

 private:
  std::size_t channels_;
  std::size_t inner_;
  std::size_t columns_;
  std::size_t full_rows_;
  std::size_t last_row_columns_;
  std::size_t rows_per_block_;
  std::size_t column_blocks_;
  std::size_t row_blocks_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_PARTITION_H_
