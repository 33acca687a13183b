// How tensors are cut into blocks for the kernels and the worker threads.
//
// The cuts follow from the shape alone, never from the number of threads or the
// width of a vector: sums that are taken block by block, and then in the order
// of the blocks, are therefore the same bits everywhere.

#ifndef QUANTD_CORE_PARTITION_H_
#define QUANTD_CORE_PARTITION_H_

#include <cstddef>

#include "core/tensor_shape.h"

namespace quantd::core {

// Blocks have about this many elements: small enough for the second-level
// cache with input and output, large enough to be worth handing to a thread.
inline constexpr std::size_t kBlockElements = std::size_t{64} * 1024;

// Whether the channels of `layout` are laid out as runs long enough to be
// worked on one by one, with constant parameters (RunPartition); else their
// parameters vary along the vector (ColumnPartition).
bool HasLongRuns(const ChannelLayout& layout);

// A tensor as `run_count` runs of `run_length` elements; run r belongs to
// channel r % channels. Long runs are cut into segments of kBlockElements; a
// block is one segment, or several short runs.
//
// The layout must have elements.
class RunPartition {
 public:
  explicit RunPartition(const ChannelLayout& layout);

  struct Segment {
    std::size_t channel;
    std::size_t first_element;
    std::size_t element_count;
  };

  std::size_t segments_per_run() const { return segments_per_run_; }
  std::size_t segment_count() const { return run_count_ * segments_per_run_; }
  Segment segment(std::size_t index) const;

  std::size_t block_count() const;
  // The segments of a block: first to first + count - 1.
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

// A tensor as rows of `columns()` elements: one or several whole periods of
// channels x inner, so that a column always belongs to the same channel. The
// last row may be shorter, by whole periods. The layout must have elements. Blocks are at most
// kBlockColumns wide.
class ColumnPartition {
 public:
  explicit ColumnPartition(const ChannelLayout& layout);

  // Blocks are at most this wide, so that the parameters of their columns stay
  // in the first-level cache.
  static constexpr std::size_t kBlockColumns = 1024;

  std::size_t columns() const { return columns_; }

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
    // Rows with all of the columns.
    std::size_t rows;
    // How many of the columns the row after these has; 0 if there is none.
    std::size_t last_row_columns;
  };

  // Blocks that lie one above the other are `row_blocks()` apart: block b has
  // the columns of column block b / row_blocks() and the rows of row block
  // b % row_blocks().
  std::size_t block_count() const { return column_blocks_ * row_blocks_; }
  std::size_t row_blocks() const { return row_blocks_; }
  Block block(std::size_t index) const;

  // The index of the block's first element, and of the first in its last,
  // shorter row.
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

#endif  // QUANTD_CORE_PARTITION_H_
