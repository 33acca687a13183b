#include "core/fake_quantization.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/error.h"
#include "core/kernels/fake_quantize_kernels.h"
#include "core/kernels/gradient_kernels.h"
#include "core/kernels/parameters.h"
#include "core/partition.h"

namespace quantd::core {
namespace {

// Smaller tensors are done sooner than another thread could begin.
constexpr std::size_t kParallelElements = 2 * kBlockElements;

// Larger outputs do not stay in the cache anyway.
constexpr std::size_t kStreamingElements = (std::size_t{16} << 20) / sizeof(float);

absl::Status CheckRangeSize(std::size_t size, std::size_t channels, bool per_channel) {
  if (size == channels) {
    return absl::OkStatus();
  }
  const std::string expected =
      per_channel ? absl::StrCat("expected ", channels, ", one for each channel of the axis")
                  : "expected 1 for the whole tensor: set range.axis to have one for each channel";
  return InvalidArgument(
      absl::StrCat("range.min and range.max have ", size, " values; ", expected),
      {.reason = std::string(reason::kRangeSizeMismatch),
       .field = "range.min",
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(channels)}}});
}

absl::Status CheckSpan(absl::string_view name, std::size_t size, std::size_t expected) {
  if (size == expected) {
    return absl::OkStatus();
  }
  return InvalidArgument(
      absl::StrCat(name, " has ", size, " elements; expected ", expected, " for this shape"),
      {.reason = std::string(reason::kTensorSizeMismatch),
       .field = std::string(name),
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(expected)}}});
}

void ForEachBlock(std::size_t element_count, std::size_t block_count, WorkerPool* pool,
                  const std::function<void(std::size_t)>& block) {
  if (pool != nullptr && pool->threads() > 1 && element_count >= kParallelElements) {
    pool->ForEachBlock(block_count, block);
    return;
  }
  for (std::size_t i = 0; i < block_count; ++i) {
    block(i);
  }
}

kernels::Store StoreFor(std::size_t element_count) {
  return element_count >= kStreamingElements ? kernels::Store::kStreaming : kernels::Store::kCached;
}

// Whether `channel` is one of all zeros.
bool IsZero(const NudgedRange& range, std::size_t channel) { return range.scale[channel] == 0; }

// Calls function(first element, columns) for every row of a block.
template <typename Function>
void ForEachRow(const ColumnPartition& partition, const ColumnPartition::Block& block,
                Function function) {
  for (std::size_t row = 0; row < block.rows; ++row) {
    function(partition.FirstElement(block) + row * partition.columns(), block.columns);
  }
  if (block.last_row_columns > 0) {
    function(partition.LastRowElement(block), block.last_row_columns);
  }
}

// Adds rows of sums from top to bottom, then the columns of each channel from
// left to right.
void AddRowsAndColumns(const ColumnPartition& partition, std::span<double> sums,
                       std::span<float> channel_sums) {
  const std::size_t columns = partition.columns();
  for (std::size_t row = columns; row < sums.size(); row += columns) {
    for (std::size_t column = 0; column < columns; ++column) {
      sums[column] += sums[row + column];
    }
  }
  std::vector<double> channels(channel_sums.size());
  partition.ForEachColumn(
      [&](std::size_t column, std::size_t channel) { channels[channel] += sums[column]; });
  std::ranges::transform(channels, channel_sums.begin(),
                         [](double sum) { return static_cast<float>(sum); });
}

// Calls function(element) for every element of a block that lies in one of
// `columns`, which are in increasing order.
template <typename Function>
void ForEachElementOf(std::span<const std::size_t> columns, const ColumnPartition& partition,
                      const ColumnPartition::Block& block, Function function) {
  const auto first = std::ranges::lower_bound(columns, block.first_column);
  const auto last = std::ranges::lower_bound(columns, block.first_column + block.columns);
  ForEachRow(partition, block, [&](std::size_t row_element, std::size_t row_columns) {
    for (auto column = first; column != last; ++column) {
      const std::size_t offset = *column - block.first_column;
      if (offset < row_columns) {
        function(row_element + offset);
      }
    }
  });
}

kernels::ChannelParameters MakeChannelParameters(const NudgedRange& nudged_range,
                                                 const Range& range, const QuantizationSpec& spec,
                                                 std::size_t channel) {
  if (IsZero(nudged_range, channel)) {
    return {};
  }
  const auto levels = static_cast<float>(spec.quant_max() - spec.quant_min());
  const float inverse_scale = levels / (range.max[channel] - range.min[channel]);
  return {.nudged_min = nudged_range.min[channel],
          .nudged_max = nudged_range.max[channel],
          .scale = nudged_range.scale[channel],
          .inverse_scale = inverse_scale,
          .lowest_step = static_cast<float>(spec.quant_min() - nudged_range.zero_point[channel])};
}

// Repeats the parameters of the channels over the columns of a row.
std::vector<kernels::ColumnParameters> ExpandToColumns(
    const ColumnPartition& partition, std::span<const kernels::ChannelParameters> channels) {
  std::vector<kernels::ColumnParameters> blocks((partition.columns() + kernels::kMaxLanes - 1) /
                                                kernels::kMaxLanes);
  partition.ForEachColumn([&](std::size_t column, std::size_t channel) {
    kernels::ColumnParameters& block = blocks[column / kernels::kMaxLanes];
    const std::size_t lane = column % kernels::kMaxLanes;
    block.scale[lane] = channels[channel].scale;
    block.inverse_scale[lane] = channels[channel].inverse_scale;
    block.lowest_step[lane] = channels[channel].lowest_step;
  });
  return blocks;
}

}  // namespace

struct FakeQuantization::Parameters {
  kernels::Rounding rounding;
  float levels;
  std::vector<kernels::ChannelParameters> channels = {};
  // Where channels are no long runs: for all columns of a ColumnPartition, and
  // the indices of those with min == max == 0.
  std::vector<kernels::ColumnParameters> columns = {};
  std::vector<std::size_t> zero_columns = {};
};

absl::StatusOr<FakeQuantization> FakeQuantization::Create(std::span<const std::int64_t> shape,
                                                          const Range& range,
                                                          const QuantizationSpec& spec) {
  const absl::StatusOr<ChannelLayout> layout = MakeChannelLayout(shape, range.axis);
  if (!layout.ok()) {
    return layout.status();
  }
  absl::StatusOr<NudgedRange> nudged_range = Nudge(range, spec);
  if (!nudged_range.ok()) {
    return nudged_range.status();
  }
  const bool per_channel = range.axis.has_value();
  if (absl::Status status = CheckRangeSize(range.min.size(), layout->channels, per_channel);
      !status.ok()) {
    return status;
  }
  auto parameters =
      std::make_shared<const Parameters>(MakeParameters(*layout, *nudged_range, range, spec));
  return FakeQuantization(*layout, *std::move(nudged_range), std::move(parameters));
}

FakeQuantization::Parameters FakeQuantization::MakeParameters(const ChannelLayout& layout,
                                                              const NudgedRange& nudged_range,
                                                              const Range& range,
                                                              const QuantizationSpec& spec) {
  const bool divide = !range.axis.has_value() && spec.numerics == Numerics::kTensorFlow;
  Parameters parameters{.rounding = divide ? kernels::Rounding::kDivideByScale
                                           : kernels::Rounding::kMultiplyByInverseScale,
                        .levels = static_cast<float>(spec.quant_max() - spec.quant_min())};
  for (std::size_t channel = 0; channel < layout.channels; ++channel) {
    parameters.channels.push_back(MakeChannelParameters(nudged_range, range, spec, channel));
  }
  if (HasLongRuns(layout) || layout.element_count() == 0) {
    return parameters;
  }
  const ColumnPartition partition(layout);
  parameters.columns = ExpandToColumns(partition, parameters.channels);
  partition.ForEachColumn([&](std::size_t column, std::size_t channel) {
    if (IsZero(nudged_range, channel)) {
      parameters.zero_columns.push_back(column);
    }
  });
  return parameters;
}

absl::Status FakeQuantization::Apply(std::span<const float> input, std::span<float> output,
                                     WorkerPool* pool) const {
  if (absl::Status status = CheckSpan("input", input.size(), element_count()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckSpan("output", output.size(), element_count()); !status.ok()) {
    return status;
  }
  if (element_count() == 0) {
    return absl::OkStatus();
  }
  if (HasLongRuns(layout_)) {
    ApplyToRuns(input.data(), output.data(), pool);
  } else {
    ApplyToColumns(input.data(), output.data(), pool);
  }
  return absl::OkStatus();
}

void FakeQuantization::ApplyToRuns(const float* input, float* output, WorkerPool* pool) const {
  const RunPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count());
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const RunPartition::Block block = partition.block(index);
    for (std::size_t i = 0; i < block.segment_count; ++i) {
      const auto [channel, first, count] = partition.segment(block.first_segment + i);
      if (IsZero(nudged_range_, channel)) {
        std::fill_n(output + first, count, 0.0F);
        continue;
      }
      kernels::FakeQuantizeRun(input + first, count, parameters_->channels[channel],
                               parameters_->rounding, store, output + first);
    }
  });
}

void FakeQuantization::ApplyToColumns(const float* input, float* output, WorkerPool* pool) const {
  const ColumnPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count());
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const ColumnPartition::Block block = partition.block(index);
    const kernels::ColumnParameters* const columns =
        &parameters_->columns[block.first_column / kernels::kMaxLanes];
    const auto quantize = [&](std::size_t first, std::size_t rows, std::size_t width) {
      kernels::FakeQuantizeColumns(input + first, rows, width, partition.columns(), columns,
                                   parameters_->levels, store, output + first);
    };
    quantize(partition.FirstElement(block), block.rows, block.columns);
    quantize(partition.LastRowElement(block), 1, block.last_row_columns);
    // The kernel keeps NaN, but a channel of zeros has none.
    ForEachElementOf(parameters_->zero_columns, partition, block,
                     [&](std::size_t element) { output[element] = 0; });
  });
}

absl::Status FakeQuantization::ApplyGradient(std::span<const float> gradients,
                                             std::span<const float> inputs, const Gradients& result,
                                             WorkerPool* pool) const {
  const struct {
    absl::string_view name;
    std::size_t size;
    std::size_t expected;
  } spans[] = {{"gradients", gradients.size(), element_count()},
               {"inputs", inputs.size(), element_count()},
               {"input_gradients", result.input.size(), element_count()},
               {"min_gradient", result.min.size(), channel_count()},
               {"max_gradient", result.max.size(), channel_count()}};
  for (const auto& [name, size, expected] : spans) {
    if (absl::Status status = CheckSpan(name, size, expected); !status.ok()) {
      return status;
    }
  }
  if (element_count() == 0) {
    std::ranges::fill(result.min, 0.0F);
    std::ranges::fill(result.max, 0.0F);
  } else if (HasLongRuns(layout_)) {
    ApplyGradientToRuns(gradients.data(), inputs.data(), result, pool);
  } else {
    ApplyGradientToColumns(gradients.data(), inputs.data(), result, pool);
  }
  return absl::OkStatus();
}

void FakeQuantization::ApplyGradientToRuns(const float* gradients, const float* inputs,
                                           const Gradients& result, WorkerPool* pool) const {
  const RunPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count());
  // One pair of sums for each segment, whichever thread works on it.
  std::vector<kernels::RangeGradients> segment_sums(partition.segment_count());
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const RunPartition::Block block = partition.block(index);
    for (std::size_t i = 0; i < block.segment_count; ++i) {
      const auto [channel, first, count] = partition.segment(block.first_segment + i);
      if (IsZero(nudged_range_, channel)) {
        std::copy_n(gradients + first, count, result.input.data() + first);
        continue;
      }
      segment_sums[block.first_segment + i] = kernels::GradientRun(
          gradients + first, inputs + first, count, parameters_->channels[channel].nudged_min,
          parameters_->channels[channel].nudged_max, store, result.input.data() + first);
    }
  });
  // … and these are added in the order of the segments.
  std::vector<kernels::RangeGradients> sums(channel_count());
  for (std::size_t i = 0; i < segment_sums.size(); ++i) {
    kernels::RangeGradients& sum = sums[partition.segment(i).channel];
    sum.min += segment_sums[i].min;
    sum.max += segment_sums[i].max;
  }
  for (std::size_t channel = 0; channel < channel_count(); ++channel) {
    result.min[channel] = static_cast<float>(sums[channel].min);
    result.max[channel] = static_cast<float>(sums[channel].max);
  }
}

void FakeQuantization::ApplyGradientToColumns(const float* gradients, const float* inputs,
                                              const Gradients& result, WorkerPool* pool) const {
  const ColumnPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count());
  // One row of sums for each row of blocks, whichever thread works on it.
  std::vector<double> min_sums(partition.row_blocks() * partition.columns());
  std::vector<double> max_sums(min_sums.size());
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const ColumnPartition::Block block = partition.block(index);
    const kernels::ColumnParameters* const columns =
        &parameters_->columns[block.first_column / kernels::kMaxLanes];
    const std::size_t sums =
        index % partition.row_blocks() * partition.columns() + block.first_column;
    const auto differentiate = [&](std::size_t first, std::size_t rows, std::size_t width) {
      kernels::GradientColumns(gradients + first, inputs + first, rows, width, partition.columns(),
                               columns, parameters_->levels, store, result.input.data() + first,
                               min_sums.data() + sums, max_sums.data() + sums);
    };
    differentiate(partition.FirstElement(block), block.rows, block.columns);
    differentiate(partition.LastRowElement(block), 1, block.last_row_columns);
    ForEachElementOf(parameters_->zero_columns, partition, block,
                     [&](std::size_t element) { result.input[element] = gradients[element]; });
  });
  AddRowsAndColumns(partition, min_sums, result.min);
  AddRowsAndColumns(partition, max_sums, result.max);
  for (std::size_t channel = 0; channel < channel_count(); ++channel) {
    if (IsZero(nudged_range_, channel)) {
      result.min[channel] = 0;
      result.max[channel] = 0;
    }
  }
}

}  // namespace quantd::core
