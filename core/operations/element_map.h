// Operations that compute each element of their output from the same element of their
// input: how they go through a tensor, whatever its parameters and types.

#ifndef QUANTD_CORE_OPERATIONS_ELEMENT_MAP_H_
#define QUANTD_CORE_OPERATIONS_ELEMENT_MAP_H_

#include <algorithm>
#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/base/scattered_bytes.h"
#include "core/execution.h"
#include "core/kernels/parameters.h"
#include "core/operations/partition.h"
#include "core/operations/quantization_plan.h"
#include "core/operations/traversal.h"
#include "core/parameter_layout.h"

namespace quantd::core {

// What a map works on. Does not own the memory. Output is a pointer to elements, or what
// can be added to like one.
template <typename In, typename Output>
struct MapArguments {
  const QuantizationPlan& plan;
  const ParameterLayout& layout;
  const ScatteredBytes& input;
  Output output;
  const Execution& execution;
};

// Rows of columns as kernels take them.
struct RowsOfColumns {
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;
};

namespace internal {

// Channels whose elements lie in long runs.
template <typename In, typename Output, class Kernel>
void MapRuns(const MapArguments<In, Output>& arguments, const Kernel& kernel) {
  const RunPartition partition(arguments.layout.channels);
  const Traversal<In, 1> traversal({&arguments.input}, arguments.layout.element_count(),
                                   arguments.execution);
  traversal.ForEachSegment(
      partition, [&](std::size_t /*index*/, const RunPartition::Segment& segment, auto& reader) {
        const Output output = arguments.output;
        if (arguments.plan.IsZero(segment.channel)) {
          kernel.Zero(output + segment.first_element, segment.element_count);
          return;
        }
        reader.ForEachRun(segment, [&](const auto& pointers, std::size_t first, std::size_t count) {
          kernel.Run(pointers[0], count, segment.channel, output + first);
        });
      });
}

// Channels that vary along a vector.
template <typename In, typename Output, class Kernel>
void MapColumns(const MapArguments<In, Output>& arguments, const Kernel& kernel) {
  const ColumnPartition partition(arguments.layout.channels);
  const QuantizationPlan::BlockColumns block_columns(arguments.plan, partition);
  const Traversal<In, 1> traversal({&arguments.input}, arguments.layout.element_count(),
                                   arguments.execution);
  traversal.ForEachBlock(
      partition, [&](std::size_t /*index*/, const ColumnPartition::Block& block, auto& reader) {
        block_columns.For(block, [&](const QuantizationPlan::Columns& columns, std::size_t first) {
          reader.ForEachRows(
              partition, block,
              [&](const auto& pointers, std::size_t element, std::size_t rows, std::size_t width) {
                kernel.Columns(pointers[0], {rows, width, partition.columns()},
                               &columns.blocks[first], arguments.output + element);
              });
          // Kernels must not decide what a channel of zeros has for NaN.
          ForEachElementOf(columns.zero_columns, partition, block, [&](std::size_t element) {
            kernel.Zero(arguments.output + element, 1);
          });
        });
      });
}

// A rectangle of elements that share a row of blocks: `rows` rows, `inner` elements
// apart, of `columns` columns.
struct BlockRectangle {
  std::size_t first_element;
  std::size_t first_parameter;
  std::size_t rows;
  std::size_t columns;
};

// The rectangles of a layout with blocks, each at most kBlockColumns wide.
class BlockRectangles {
 public:
  explicit BlockRectangles(const ParameterLayout& layout)
      : layout_(layout),
        chunks_((layout.channels.inner + ColumnPartition::kBlockColumns - 1) /
                ColumnPartition::kBlockColumns) {}

  std::size_t count() const { return layout_.channels.outer * layout_.blocks() * chunks_; }

  BlockRectangle at(std::size_t index) const {
    const auto [outer_count, channels, inner] = layout_.channels;
    const std::size_t column = index % chunks_ * ColumnPartition::kBlockColumns;
    const std::size_t group = index / chunks_;
    const std::size_t outer = group / layout_.blocks();
    const std::size_t channel = group % layout_.blocks() * layout_.block_size;
    return {.first_element = (outer * channels + channel) * inner + column,
            .first_parameter = group * inner + column,
            .rows = std::min(layout_.block_size, channels - channel),
            .columns = std::min(ColumnPartition::kBlockColumns, inner - column)};
  }

 private:
  const ParameterLayout& layout_;
  // The number of rectangles side by side.
  std::size_t chunks_;
};

template <typename In, typename Output, class Kernel, class Reader>
void MapRectangle(const MapArguments<In, Output>& arguments, const Kernel& kernel,
                  const BlockRectangle& rectangle, Reader& reader) {
  const std::size_t inner = arguments.layout.channels.inner;
  const std::size_t first = rectangle.first_element;
  if (inner == 1) {
    reader.ForEachRun({.channel = rectangle.first_parameter,
                       .first_element = first,
                       .element_count = rectangle.rows},
                      [&](const auto& pointers, std::size_t element, std::size_t count) {
                        kernel.Run(pointers[0], count, rectangle.first_parameter,
                                   arguments.output + element);
                      });
    return;
  }
  const QuantizationPlan::Columns columns =
      arguments.plan.ColumnsOf(rectangle.first_parameter, rectangle.columns);
  if (arguments.input.in_one_piece()) {
    kernel.Columns(ElementPointer<In>(arguments.input.front()) + first,
                   {rectangle.rows, rectangle.columns, inner}, columns.blocks.data(),
                   arguments.output + first);
    return;
  }
  static_assert(Reader::kRunUnit % kernels::kMaxLanes == 0);
  for (std::size_t row = 0; row < rectangle.rows; ++row) {
    const std::size_t row_first = first + row * inner;
    reader.ForEachRun(
        {.channel = 0, .first_element = row_first, .element_count = rectangle.columns},
        [&](const auto& pointers, std::size_t element, std::size_t count) {
          kernel.Columns(pointers[0], {1, count, count},
                         &columns.blocks[(element - row_first) / kernels::kMaxLanes],
                         arguments.output + element);
        });
  }
}

template <typename In, typename Output, class Kernel>
void MapBlocks(const MapArguments<In, Output>& arguments, const Kernel& kernel) {
  const BlockRectangles rectangles(arguments.layout);
  const auto [outer, channels, inner] = arguments.layout.channels;
  // As many rectangles at a time as have about as many elements as a block.
  const std::size_t elements =
      std::max<std::size_t>(1, std::min(arguments.layout.block_size, channels) *
                                   std::min(inner, ColumnPartition::kBlockColumns));
  const std::size_t together = std::max<std::size_t>(1, kBlockElements / elements);
  const Traversal<In, 1> traversal({&arguments.input}, arguments.layout.element_count(),
                                   arguments.execution);
  traversal.ForEachPart((rectangles.count() + together - 1) / together,
                        [&](std::size_t part, auto& reader) {
                          const std::size_t begin = part * together;
                          const std::size_t end = std::min(begin + together, rectangles.count());
                          for (std::size_t i = begin; i < end; ++i) {
                            MapRectangle(arguments, kernel, rectangles.at(i), reader);
                          }
                        });
}

}  // namespace internal

// Writes the output of every element, of which there is at least one. A kernel has
//   Run(input, count, channel, output)             for elements of one channel,
//   Columns(input, rows, parameters, output)       for channels that vary,
//   Zero(output, count)                            for a channel of zeros,
// which are const and are called by several threads at once.
template <typename In, typename Output, class Kernel>
void MapElements(const MapArguments<In, Output>& arguments, const Kernel& kernel) {
  if (arguments.layout.has_blocks()) {
    internal::MapBlocks(arguments, kernel);
  } else if (HasLongRuns(arguments.layout.channels)) {
    internal::MapRuns(arguments, kernel);
  } else {
    internal::MapColumns(arguments, kernel);
  }
}

// The number of elements that are converted at a time.
inline constexpr std::size_t kStagedElements = ColumnPartition::kBlockColumns;

// Calls function(first element, count, index of the first parameters, stride) for
// elements `first` to first + count - 1, in pieces whose parameters are either the same
// (a stride of 0) or lie one behind another (a stride of 1).
template <typename Function>
void ForEachParameterRun(const ParameterLayout& layout, std::size_t first, std::size_t count,
                         Function function) {
  const auto [outer, channels, inner] = layout.channels;
  // With blocks, it is the elements within `inner` that have parameters of their own.
  const bool varies_within = layout.has_blocks() ? inner > 1 : inner == 1;
  for (const std::size_t end = first + count; first < end;) {
    const std::size_t channel = first / inner % channels;
    const std::size_t to_end_of_inner = inner - first % inner;
    std::size_t together = to_end_of_inner;
    if (!layout.has_blocks() && inner == 1) {
      together = channels - channel;
    } else if (layout.has_blocks() && inner == 1) {
      together = std::min(layout.block_size - channel % layout.block_size, channels - channel);
    }
    together = std::min(together, end - first);
    function(first, together, layout.ParameterOf(first),
             varies_within ? std::size_t{1} : std::size_t{0});
    first += together;
  }
}

// Calls function(pointers, first element, count, index of the first parameters, stride)
// for all elements of tensors of one shape, in pieces as those of ForEachParameterRun(), in any
// order and at the same time on several threads. The shape has at least one element.
template <typename In, std::size_t input_count, typename Function>
void ForEachParameterRunOf(const ParameterLayout& layout,
                           const typename PieceReader<In, input_count>::Inputs& inputs,
                           const Execution& execution, const Function& function) {
  const std::size_t element_count = layout.element_count();
  const Traversal<In, input_count> traversal(inputs, element_count, execution);
  traversal.ForEachPart(
      (element_count + kBlockElements - 1) / kBlockElements, [&](std::size_t part, auto& reader) {
        const std::size_t begin = part * kBlockElements;
        reader.ForEachRun({.channel = 0,
                           .first_element = begin,
                           .element_count = std::min(kBlockElements, element_count - begin)},
                          [&](const auto& pointers, std::size_t run_first, std::size_t run_count) {
                            ForEachParameterRun(layout, run_first, run_count,
                                                [&](std::size_t first, std::size_t count,
                                                    std::size_t parameter, std::size_t stride) {
                                                  auto run_pointers = pointers;
                                                  for (auto& pointer : run_pointers) {
                                                    pointer = pointer + (first - run_first);
                                                  }
                                                  function(run_pointers, first, count, parameter,
                                                           stride);
                                                });
                          });
      });
}

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_ELEMENT_MAP_H_
