#include "core/operations/fake_quantize.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <memory>

#include "core/base/element_type.h"
#include "core/kernels/fake_quantize.h"
#include "core/operations/partition.h"
#include "core/operations/streaming.h"
#include "core/operations/traversal.h"

namespace quantd::core {
namespace {

constexpr std::size_t kStreamingRunBytes = 12 * kBytesPerMib;
constexpr std::size_t kStreamingColumnBytes = 9 * kBytesPerMib;

template <typename In, typename Out>
void QuantizeRuns(const QuantizationPlan& plan, const ChannelLayout& layout,
                  const Traversal<In, 1>& traversal, Out* output) {
  const RunPartition partition(layout);
  const kernels::Store store = StoreFor(layout.element_count() * sizeof(Out), kStreamingRunBytes);
  traversal.ForEachSegment(
      partition, [&](std::size_t /*index*/, const RunPartition::Segment& segment, auto& reader) {
        if (plan.IsZero(segment.channel)) {
          std::fill_n(output + segment.first_element, segment.element_count, Out{0});
          return;
        }
        kernels::RunArguments<In, Out> arguments = {.input = {},
                                                    .count = 0,
                                                    .channel = &plan.channel(segment.channel),
                                                    .quotient = plan.quotient(),
                                                    .ties = plan.ties(),
                                                    .store = store,
                                                    .output = nullptr};
        reader.ForEachRun(segment, [&](const auto& pointers, std::size_t first, std::size_t count) {
          arguments.input = pointers[0];
          arguments.count = count;
          arguments.output = output + first;
          kernels::FakeQuantizeRun(arguments);
        });
      });
}

template <typename In, typename Out>
void QuantizeColumns(const QuantizationPlan& plan, const ChannelLayout& layout,
                     const Traversal<In, 1>& traversal, Out* output) {
  const ColumnPartition partition(layout);
  const std::shared_ptr<const QuantizationPlan::Columns> columns = plan.ColumnsFor(partition);
  const kernels::Store store =
      StoreFor(layout.element_count() * sizeof(Out), kStreamingColumnBytes);
  traversal.ForEachBlock(
      partition, [&](std::size_t /*index*/, const ColumnPartition::Block& block, auto& reader) {
        reader.ForEachRows(
            partition, block,
            [&](const auto& pointers, std::size_t first, std::size_t rows, std::size_t width) {
              kernels::FakeQuantizeColumns(kernels::ColumnsArguments<In, Out>{
                  .input = pointers[0],
                  .rows = rows,
                  .columns = width,
                  .stride = partition.columns(),
                  .parameters = &columns->blocks[block.first_column / kernels::kMaxLanes],
                  .levels = plan.levels(),
                  .quotient = plan.quotient(),
                  .ties = plan.ties(),
                  .store = store,
                  .output = output + first});
            });
        // The kernel keeps NaN, but the output of a channel of zeros has none.
        ForEachElementOf(columns->zero_columns, partition, block,
                         [&](std::size_t element) { output[element] = 0; });
      });
}

template <typename In, typename Out>
void QuantizeElements(const QuantizationPlan& plan, const ChannelLayout& layout,
                      const TensorView& input, const OutputView& output, WorkerPool* pool) {
  const Traversal<In, 1> traversal({&input.bytes}, layout.element_count(), pool);
  Out* const elements = output.elements<Out>().data();
  HasLongRuns(layout) ? QuantizeRuns<In, Out>(plan, layout, traversal, elements)
                      : QuantizeColumns<In, Out>(plan, layout, traversal, elements);
}

}  // namespace

void FakeQuantize(const QuantizationPlan& plan, const ChannelLayout& layout,
                  const TensorView& input, const OutputView& output, WorkerPool* pool) {
  assert(layout.channels == plan.channel_count());
  assert(input.element_count() == layout.element_count());
  assert(output.element_count() == layout.element_count());
  if (layout.element_count() == 0) {
    return;
  }
  switch (input.type) {
    case ElementType::kFloat32:
      return QuantizeElements<float, float>(plan, layout, input, output, pool);
  }
}

}  // namespace quantd::core
