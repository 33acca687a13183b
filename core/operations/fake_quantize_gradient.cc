#include "core/operations/fake_quantize_gradient.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

#include "absl/container/inlined_vector.h"
#include "core/base/element_type.h"
#include "core/base/float16.h"
#include "core/kernels/convert.h"
#include "core/kernels/float64.h"
#include "core/kernels/gradient.h"
#include "core/operations/element_map.h"
#include "core/operations/partition.h"
#include "core/operations/staging.h"
#include "core/operations/streaming.h"
#include "core/operations/traversal.h"

namespace quantd::core {
namespace {

constexpr std::size_t kStreamingBytes = 4 * kBytesPerMib;

// The tensors of the operation.
template <typename T>
struct Tensors {
  const ScatteredBytes& gradients;
  T* input_gradients;
  // Visits gradients and inputs, in this order.
  Traversal<T, 2> traversal;
  // 16-bit floats are converted from and to it.
  kernels::Store store;
};

// Elements at the same place in each tensor, in order.
template <typename T>
struct GradientPieces {
  ElementPointer<T> gradients;
  ElementPointer<T> inputs;
  T* input_gradients;
};

// Calls compute(pieces of floats, first, count) for `count` elements, in order. Each
// count but the last is `unit` times a whole number.
template <typename T, typename Function>
void ForEachStagedPiece(const GradientPieces<T>& pieces, std::size_t count, std::size_t unit,
                        Function compute) {
  if constexpr (StagedFloat<T>) {
    Stage<float> gradients;
    Stage<float> inputs;
    Stage<float> input_gradients;
    const std::size_t together = kStagedElements / unit * unit;
    for (std::size_t i = 0; i < count; i += together) {
      const std::size_t staged = std::min(together, count - i);
      kernels::Widen(pieces.gradients + i, staged, gradients.elements);
      kernels::Widen(pieces.inputs + i, staged, inputs.elements);
      compute(GradientPieces<float>{gradients.elements, inputs.elements, input_gradients.elements},
              i, staged);
      kernels::Narrow(input_gradients.elements, staged, pieces.input_gradients + i);
    }
  } else {
    compute(pieces, std::size_t{0}, count);
  }
}

ChannelSums NoSums(std::size_t channel_count) {
  return {.below = std::vector<double>(channel_count), .above = std::vector<double>(channel_count)};
}

// Differentiates elements of one channel, and adds to its sums.
template <typename T>
void DifferentiateRun(const QuantizationPlan& plan, std::size_t channel, kernels::Store store,
                      const GradientPieces<T>& pieces, std::size_t count,
                      kernels::PartialSums& sums) {
  static_assert(kStagedElements % kernels::kPartialSums == 0);
  ForEachStagedPiece(
      pieces, count, kernels::kPartialSums,
      [&](const GradientPieces<float>& floats, std::size_t /*first*/, std::size_t staged) {
        kernels::GradientRun({.gradients = floats.gradients,
                              .inputs = floats.inputs,
                              .count = staged,
                              .bounds = plan.bounds(channel),
                              .mask = plan.mask(),
                              .flushes_subnormals = plan.rules().flushes_subnormals,
                              .store = store,
                              .input_gradients = floats.input_gradients,
                              .sums = &sums});
      });
}

// Returns the sums of each segment, in the order of the segments.
template <typename T>
absl::InlinedVector<kernels::OutsideSums, 1> DifferentiateSegments(const QuantizationPlan& plan,
                                                                   const RunPartition& partition,
                                                                   const Tensors<T>& tensors) {
  static_assert(PieceReader<T, 2>::kRunUnit % kernels::kPartialSums == 0);
  absl::InlinedVector<kernels::OutsideSums, 1> segment_sums(partition.segment_count());
  T* const output = tensors.input_gradients;
  tensors.traversal.ForEachSegment(
      partition, [&](std::size_t index, const RunPartition::Segment& segment, auto& reader) {
        if (plan.IsZero(segment.channel)) {
          tensors.gradients.CopyTo(segment.first_element, std::span(output + segment.first_element,
                                                                    segment.element_count));
          return;
        }
        kernels::PartialSums sums;
        reader.ForEachRun(segment, [&](const auto& pointers, std::size_t first, std::size_t count) {
          DifferentiateRun<T>(plan, segment.channel, tensors.store,
                              {pointers[0], pointers[1], output + first}, count, sums);
        });
        segment_sums[index] = kernels::AddPartialSums(sums);
      });
  return segment_sums;
}

template <typename T>
ChannelSums DifferentiateRuns(const QuantizationPlan& plan, const ChannelLayout& layout,
                              const Tensors<T>& tensors) {
  const RunPartition partition(layout);
  const auto segment_sums = DifferentiateSegments(plan, partition, tensors);
  // Whichever threads took the sums, they are added in the order of the segments.
  ChannelSums sums = NoSums(plan.channel_count());
  partition.ForEachSegment([&](std::size_t segment, std::size_t channel) {
    sums.below[channel] += segment_sums[segment].below;
    sums.above[channel] += segment_sums[segment].above;
  });
  return sums;
}

// Adds rows of sums from top to bottom, then the columns of each channel from left
// to right. Overwrites `sums`. Channels of zeros have 0.
std::vector<double> AddRowsAndColumns(const QuantizationPlan& plan,
                                      const ColumnPartition& partition, std::span<double> sums) {
  const std::size_t columns = partition.columns();
  for (std::size_t row = columns; row < sums.size(); row += columns) {
    for (std::size_t column = 0; column < columns; ++column) {
      sums[column] += sums[row + column];
    }
  }
  std::vector<double> channels(partition.channels());
  partition.ForEachColumn(
      [&](std::size_t column, std::size_t channel) { channels[channel] += sums[column]; });
  for (std::size_t channel = 0; plan.HasZeroChannels() && channel < channels.size(); ++channel) {
    if (plan.IsZero(channel)) {
      channels[channel] = 0;
    }
  }
  return channels;
}

// Where the sums of rows of columns are added to.
struct ColumnSums {
  double* below;
  double* above;
};

// Differentiates rows of columns.
template <typename T>
void DifferentiateRows(const QuantizationPlan& plan, kernels::Store store, RowsOfColumns rows,
                       const kernels::ColumnBounds* bounds, const GradientPieces<T>& pieces,
                       ColumnSums sums) {
  const auto differentiate = [&](const GradientPieces<float>& floats, RowsOfColumns together) {
    kernels::GradientColumns({.gradients = floats.gradients,
                              .inputs = floats.inputs,
                              .rows = together.rows,
                              .columns = together.columns,
                              .stride = together.stride,
                              .bounds = bounds,
                              .mask = plan.mask(),
                              .flushes_subnormals = plan.rules().flushes_subnormals,
                              .store = store,
                              .input_gradients = floats.input_gradients,
                              .sums_below = sums.below,
                              .sums_above = sums.above});
  };
  if constexpr (StagedFloat<T>) {
    for (std::size_t row = 0; row < rows.rows; ++row) {
      const std::size_t at = row * rows.stride;
      ForEachStagedPiece<T>(
          {pieces.gradients + at, pieces.inputs + at, pieces.input_gradients + at}, rows.columns,
          rows.columns,
          [&](const GradientPieces<float>& floats, std::size_t /*first*/, std::size_t staged) {
            differentiate(floats, {1, staged, staged});
          });
    }
  } else {
    differentiate(pieces, rows);
  }
}

template <typename T>
ChannelSums DifferentiateColumns(const QuantizationPlan& plan, const ChannelLayout& layout,
                                 const Tensors<T>& tensors) {
  const ColumnPartition partition(layout);
  const QuantizationPlan::BlockColumns block_columns(plan, partition);
  // A row of sums for each row of blocks, whichever threads take them.
  std::vector<double> below(partition.row_blocks() * partition.columns());
  std::vector<double> above(below.size());
  T* const output = tensors.input_gradients;
  tensors.traversal.ForEachBlock(
      partition, [&](std::size_t index, const ColumnPartition::Block& block, auto& reader) {
        const std::size_t sums =
            index % partition.row_blocks() * partition.columns() + block.first_column;
        block_columns.For(block, [&](const QuantizationPlan::Columns& columns,
                                     std::size_t first_bounds) {
          reader.ForEachRows(
              partition, block,
              [&](const auto& pointers, std::size_t first, std::size_t rows, std::size_t width) {
                DifferentiateRows<T>(plan, tensors.store, {rows, width, partition.columns()},
                                     &columns.bounds[first_bounds],
                                     {pointers[0], pointers[1], output + first},
                                     {below.data() + sums, above.data() + sums});
              });
          ForEachElementOf(columns.zero_columns, partition, block, [&](std::size_t element) {
            tensors.gradients.CopyTo(element, std::span(output + element, 1));
          });
        });
      });
  return {.below = AddRowsAndColumns(plan, partition, below),
          .above = AddRowsAndColumns(plan, partition, above)};
}

template <typename T>
ChannelSums DifferentiateElements(const QuantizationPlan& plan, const ChannelLayout& layout,
                                  const TensorView& gradients, const TensorView& inputs,
                                  const OutputView& input_gradients, const Execution& execution) {
  const Tensors<T> tensors = {
      .gradients = gradients.bytes,
      .input_gradients = input_gradients.elements<T>().data(),
      .traversal = {{&gradients.bytes, &inputs.bytes}, layout.element_count(), execution},
      .store = StagedFloat<T> ? kernels::Store::kCached
                              : StoreFor(input_gradients.size_bytes(), kStreamingBytes)};
  return HasLongRuns(layout) ? DifferentiateRuns(plan, layout, tensors)
                             : DifferentiateColumns(plan, layout, tensors);
}

// Only numerics whose gradients of the range are 0, or that have none, have doubles.
ChannelSums DifferentiateDoubles(const QuantizationPlan& plan, const ChannelLayout& layout,
                                 const TensorView& gradients, const TensorView& inputs,
                                 const OutputView& input_gradients, const Execution& execution) {
  double* const output = input_gradients.elements<double>().data();
  ForEachParameterRunOf<double, 2>(
      {.channels = layout}, {&gradients.bytes, &inputs.bytes}, execution,
      [&](const auto& pointers, std::size_t first, std::size_t count, std::size_t parameter,
          std::size_t stride) {
        kernels::GradientFloat64(pointers[0], pointers[1], count, &plan.float64_channel(parameter),
                                 stride, plan.rules().flushes_subnormals, output + first);
      });
  return NoSums(plan.channel_count());
}

}  // namespace

ChannelSums FakeQuantizeGradient(const QuantizationPlan& plan, const ChannelLayout& layout,
                                 const TensorView& gradients, const TensorView& inputs,
                                 const OutputView& input_gradients, const Execution& execution) {
  assert(layout.channels == plan.channel_count());
  assert(gradients.element_count() == layout.element_count());
  assert(inputs.element_count() == layout.element_count());
  assert(input_gradients.element_count() == layout.element_count());
  if (layout.element_count() == 0) {
    return NoSums(plan.channel_count());
  }
  switch (inputs.type) {
    case ElementType::kFloat32:
      return DifferentiateElements<float>(plan, layout, gradients, inputs, input_gradients,
                                          execution);
    case ElementType::kFloat16:
      return DifferentiateElements<Float16>(plan, layout, gradients, inputs, input_gradients,
                                            execution);
    case ElementType::kBFloat16:
      return DifferentiateElements<BFloat16>(plan, layout, gradients, inputs, input_gradients,
                                             execution);
    case ElementType::kFloat64:
      return DifferentiateDoubles(plan, layout, gradients, inputs, input_gradients, execution);
    default:
      assert(false && "Resolve() refuses other types");
  }
  return NoSums(plan.channel_count());
}

}  // namespace quantd::core
