#include "core/operations/fake_quantize_gradient.h"

#include <cassert>
#include <cstddef>
#include <memory>
#include <span>

#include "absl/container/inlined_vector.h"
#include "core/base/element_type.h"
#include "core/kernels/gradient.h"
#include "core/operations/partition.h"
#include "core/operations/streaming.h"
#include "core/operations/traversal.h"

namespace quantd::core {
namespace {

constexpr std::size_t kStreamingBytes = 4 * kBytesPerMib;

// The tensors of the operation.
template <typename In, typename Out>
struct Tensors {
  const ScatteredBytes& gradients;
  Out* input_gradients;
  // Visits gradients and inputs, in this order.
  Traversal<In, 2> traversal;
};

ChannelSums NoSums(std::size_t channel_count) {
  return {.below = std::vector<double>(channel_count), .above = std::vector<double>(channel_count)};
}

// Returns the sums of each segment, in the order of the segments.
template <typename In, typename Out>
absl::InlinedVector<kernels::OutsideSums, 1> DifferentiateSegments(
    const QuantizationPlan& plan, const RunPartition& partition, kernels::Store store,
    const Tensors<In, Out>& tensors) {
  static_assert(PieceReader<In, 2>::kRunUnit % kernels::kPartialSums == 0);
  absl::InlinedVector<kernels::OutsideSums, 1> segment_sums(partition.segment_count());
  Out* const output = tensors.input_gradients;
  tensors.traversal.ForEachSegment(
      partition, [&](std::size_t index, const RunPartition::Segment& segment, auto& reader) {
        if (plan.IsZero(segment.channel)) {
          tensors.gradients.CopyTo(segment.first_element, std::span(output + segment.first_element,
                                                                    segment.element_count));
          return;
        }
        kernels::PartialSums sums;
        kernels::GradientRunArguments<In, Out> arguments = {
            .gradients = {},
            .inputs = {},
            .count = 0,
            .channel = &plan.channel(segment.channel),
            .mask = plan.mask(),
            .store = store,
            .input_gradients = nullptr,
            .sums = &sums};
        reader.ForEachRun(segment, [&](const auto& pointers, std::size_t first, std::size_t count) {
          arguments.gradients = pointers[0];
          arguments.inputs = pointers[1];
          arguments.count = count;
          arguments.input_gradients = output + first;
          kernels::GradientRun(arguments);
        });
        segment_sums[index] = kernels::AddPartialSums(sums);
      });
  return segment_sums;
}

template <typename In, typename Out>
ChannelSums DifferentiateRuns(const QuantizationPlan& plan, const ChannelLayout& layout,
                              kernels::Store store, const Tensors<In, Out>& tensors) {
  const RunPartition partition(layout);
  const auto segment_sums = DifferentiateSegments(plan, partition, store, tensors);
  // Whichever threads took the sums, they are added in the order of the segments.
  ChannelSums sums = NoSums(plan.channel_count());
  partition.ForEachSegment([&](std::size_t segment, std::size_t channel) {
    sums.below[channel] += segment_sums[segment].below;
    sums.above[channel] += segment_sums[segment].above;
  });
  return sums;
}

// Adds rows of sums from top to bottom, then the columns of each channel from left
// to right. Overwrites `sums`. The columns of channels of zeros count as 0.
std::vector<double> AddRowsAndColumns(const ColumnPartition& partition,
                                      std::span<const std::size_t> zero_columns,
                                      std::span<double> sums) {
  const std::size_t columns = partition.columns();
  for (std::size_t row = columns; row < sums.size(); row += columns) {
    for (std::size_t column = 0; column < columns; ++column) {
      sums[column] += sums[row + column];
    }
  }
  for (const std::size_t column : zero_columns) {
    sums[column] = 0;
  }
  std::vector<double> channels(partition.channels());
  partition.ForEachColumn(
      [&](std::size_t column, std::size_t channel) { channels[channel] += sums[column]; });
  return channels;
}

template <typename In, typename Out>
ChannelSums DifferentiateColumns(const QuantizationPlan& plan, const ChannelLayout& layout,
                                 kernels::Store store, const Tensors<In, Out>& tensors) {
  const ColumnPartition partition(layout);
  const std::shared_ptr<const QuantizationPlan::Columns> columns = plan.ColumnsFor(partition);
  // A row of sums for each row of blocks, whichever threads take them.
  std::vector<double> below(partition.row_blocks() * partition.columns());
  std::vector<double> above(below.size());
  Out* const output = tensors.input_gradients;
  tensors.traversal.ForEachBlock(
      partition, [&](std::size_t index, const ColumnPartition::Block& block, auto& reader) {
        const std::size_t sums =
            index % partition.row_blocks() * partition.columns() + block.first_column;
        reader.ForEachRows(
            partition, block,
            [&](const auto& pointers, std::size_t first, std::size_t rows, std::size_t width) {
              kernels::GradientColumns(kernels::GradientColumnsArguments<In, Out>{
                  .gradients = pointers[0],
                  .inputs = pointers[1],
                  .rows = rows,
                  .columns = width,
                  .stride = partition.columns(),
                  .parameters = &columns->blocks[block.first_column / kernels::kMaxLanes],
                  .levels = plan.levels(),
                  .mask = plan.mask(),
                  .store = store,
                  .input_gradients = output + first,
                  .sums_below = below.data() + sums,
                  .sums_above = above.data() + sums});
            });
        ForEachElementOf(columns->zero_columns, partition, block, [&](std::size_t element) {
          tensors.gradients.CopyTo(element, std::span(output + element, 1));
        });
      });
  return {.below = AddRowsAndColumns(partition, columns->zero_columns, below),
          .above = AddRowsAndColumns(partition, columns->zero_columns, above)};
}

template <typename In, typename Out>
ChannelSums DifferentiateElements(const QuantizationPlan& plan, const ChannelLayout& layout,
                                  const TensorView& gradients, const TensorView& inputs,
                                  const OutputView& input_gradients, WorkerPool* pool) {
  const Tensors<In, Out> tensors = {
      .gradients = gradients.bytes,
      .input_gradients = input_gradients.elements<Out>().data(),
      .traversal = {{&gradients.bytes, &inputs.bytes}, layout.element_count(), pool}};
  const kernels::Store store = StoreFor(input_gradients.size_bytes(), kStreamingBytes);
  return HasLongRuns(layout) ? DifferentiateRuns(plan, layout, store, tensors)
                             : DifferentiateColumns(plan, layout, store, tensors);
}

}  // namespace

ChannelSums FakeQuantizeGradient(const QuantizationPlan& plan, const ChannelLayout& layout,
                                 const TensorView& gradients, const TensorView& inputs,
                                 const OutputView& input_gradients, WorkerPool* pool) {
  assert(layout.channels == plan.channel_count());
  assert(gradients.element_count() == layout.element_count());
  assert(inputs.element_count() == layout.element_count());
  assert(input_gradients.element_count() == layout.element_count());
  if (layout.element_count() > 0) {
    switch (inputs.type) {
      case ElementType::kFloat32:
        return DifferentiateElements<float, float>(plan, layout, gradients, inputs, input_gradients,
                                                   pool);
    }
  }
  return NoSums(plan.channel_count());
}

}  // namespace quantd::core
