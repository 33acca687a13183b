// The traversal of tensors: block by block, on one or several threads, through
// inputs that lie in any number of pieces. Every operation is a function that the
// traversal calls for elements that lie together.

#ifndef QUANTD_CORE_OPERATIONS_TRAVERSAL_H_
#define QUANTD_CORE_OPERATIONS_TRAVERSAL_H_

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>

#include "core/base/element_pointer.h"
#include "core/base/scattered_bytes.h"
#include "core/execution.h"
#include "core/operations/partition.h"

namespace quantd::core {

// Tensors with fewer elements are complete before another thread could begin.
inline constexpr std::size_t kParallelElements = 16 * kBlockElements;

// Reads the same elements of several inputs, each of which lies in pieces of its
// own, in runs that lie together in all of them. Does not own the inputs. Each
// thread has a reader of its own.
template <typename T, std::size_t input_count>
class PieceReader {
 public:
  using Inputs = std::array<const ScatteredBytes*, input_count>;
  // Where the elements of a run begin in each input.
  using Pointers = std::array<ElementPointer<T>, input_count>;

  // Runs are at least this long, which is enough for the widest vectors. Elements
  // about the cut between two pieces are copied to form such a run.
  static constexpr std::size_t kRunUnit = 64;

  explicit PieceReader(const Inputs& inputs) : inputs_(inputs) {}

  // Calls function(pointers, first element, count) for the elements of `segment`,
  // in order. Each count but the last is a multiple of kRunUnit.
  template <typename Function>
  void ForEachRun(const RunPartition::Segment& segment, Function function) {
    ForEachRun(segment.first_element, segment.element_count, kRunUnit, function);
  }

  // Calls function(pointers, first element, rows, columns) for the elements of
  // `block`, for as many rows at a time as lie together. The rows are those of
  // `partition`: partition.columns() elements apart.
  template <typename Function>
  void ForEachRows(const ColumnPartition& partition, const ColumnPartition::Block& block,
                   Function function) {
    const std::size_t stride = partition.columns();
    const std::size_t first = partition.FirstElement(block);
    if (InOnePiece()) {
      function(PointersTo(first), first, block.rows, block.columns);
    } else if (block.columns == stride) {
      ForEachRun(first, block.rows * stride, stride,
                 [&](const Pointers& pointers, std::size_t element, std::size_t count) {
                   function(pointers, element, count / stride, stride);
                 });
    } else {
      for (std::size_t row = 0; row < block.rows; ++row) {
        ReadRow(first + row * stride, block.columns, function);
      }
    }
    ReadRow(partition.LastRowElement(block), block.last_row_columns, function);
  }

 private:
  struct alignas(64) Scratch {
    T elements[ColumnPartition::kBlockColumns];
  };
  static_assert(kRunUnit <= ColumnPartition::kBlockColumns);

  bool InOnePiece() const { return std::ranges::all_of(inputs_, &ScatteredBytes::in_one_piece); }

  // The inputs are in one piece.
  Pointers PointersTo(std::size_t element) const {
    Pointers pointers;
    std::ranges::transform(inputs_, pointers.begin(), [&](const ScatteredBytes* input) {
      return ElementPointer<T>(input->front()) + element;
    });
    return pointers;
  }

  // Each count is a multiple of `unit`, which is at most kBlockColumns, but for the
  // last.
  template <typename Function>
  void ForEachRun(std::size_t first, std::size_t count, std::size_t unit, Function function) {
    assert(unit <= ColumnPartition::kBlockColumns);
    for (const std::size_t end = first + count; first < end;) {
      Pointers pointers;
      std::size_t together = end - first;
      for (std::size_t i = 0; i < input_count; ++i) {
        const ScatteredBytes::Run<T> run =
            inputs_[i]->template RunFrom<T>(first, together, unit, scratch_[i].elements);
        pointers[i] = run.elements;
        together = run.count;
      }
      function(pointers, first, together);
      first += together;
    }
  }

  // Reads a row as a whole, however it lies.
  template <typename Function>
  void ReadRow(std::size_t first, std::size_t columns, Function function) {
    ForEachRun(first, columns, columns,
               [&](const Pointers& pointers, std::size_t element, std::size_t count) {
                 function(pointers, element, std::size_t{1}, count);
               });
  }

  Inputs inputs_;
  std::array<Scratch, input_count> scratch_;
};

// Visits tensors of one shape, shared out over a pool. Stops before the next block once the
// execution is
// cancelled. Does not own the inputs.
template <typename T, std::size_t input_count>
class Traversal {
 public:
  using Reader = PieceReader<T, input_count>;

  Traversal(const typename Reader::Inputs& inputs, std::size_t element_count,
            const Execution& execution)
      : inputs_(inputs),
        execution_(execution),
        is_shared_(execution.pool() != nullptr && execution.pool()->threads() > 1 &&
                   element_count >= kParallelElements) {}

  // Calls visit(index, segment, reader) for each segment, in any order and at the
  // same time on several threads.
  template <typename Visit>
  void ForEachSegment(const RunPartition& partition, const Visit& visit) const {
    ShareOut(partition.block_count(), [&](std::size_t index) {
      const RunPartition::Block block = partition.block(index);
      Reader reader(inputs_);
      for (std::size_t i = 0; i < block.segment_count; ++i) {
        const std::size_t segment = block.first_segment + i;
        visit(segment, partition.segment(segment), reader);
      }
    });
  }

  // Calls visit(index, block, reader) for each block, in any order and at the same
  // time on several threads.
  template <typename Visit>
  void ForEachBlock(const ColumnPartition& partition, const Visit& visit) const {
    ShareOut(partition.block_count(), [&](std::size_t index) {
      Reader reader(inputs_);
      visit(index, partition.block(index), reader);
    });
  }

  // Calls visit(index, reader) for each of `part_count` parts, in any order and at the
  // same time on several threads.
  template <typename Visit>
  void ForEachPart(std::size_t part_count, const Visit& visit) const {
    ShareOut(part_count, [&](std::size_t index) {
      Reader reader(inputs_);
      visit(index, reader);
    });
  }

 private:
  template <typename Work>
  void ShareOut(std::size_t block_count, const Work& work) const {
    if (is_shared_) {
      execution_.pool()->ForEachBlock(block_count, [&](std::size_t i) {
        if (!execution_.IsCancelled()) {
          work(i);
        }
      });
      return;
    }
    for (std::size_t i = 0; i < block_count && !execution_.IsCancelled(); ++i) {
      work(i);
    }
  }

  typename Reader::Inputs inputs_;
  Execution execution_;
  bool is_shared_;
};

// Calls function(element) for each element of `block` that lies in one of
// `columns`, which are in increasing order.
template <typename Function>
void ForEachElementOf(std::span<const std::size_t> columns, const ColumnPartition& partition,
                      const ColumnPartition::Block& block, Function function) {
  const auto first = std::ranges::lower_bound(columns, block.first_column);
  const auto last = std::ranges::lower_bound(columns, block.first_column + block.columns);
  const auto visit_row = [&](std::size_t first_element, std::size_t row_columns) {
    for (auto column = first; column != last; ++column) {
      const std::size_t offset = *column - block.first_column;
      if (offset < row_columns) {
        function(first_element + offset);
      }
    }
  };
  for (std::size_t row = 0; row < block.rows; ++row) {
    visit_row(partition.FirstElement(block) + row * partition.columns(), block.columns);
  }
  visit_row(partition.LastRowElement(block), block.last_row_columns);
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_TRAVERSAL_H_
