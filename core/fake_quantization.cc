#include "core/fake_quantization.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/error.h"
#include "core/kernels/fake_quantize_kernels.h"
#include "core/kernels/gradient_kernels.h"
#include "core/kernels/parameters.h"
#include "core/partition.h"

namespace quantd::core {
namespace {

// Smaller tensors are done sooner than another thread could begin.
constexpr std::size_t kParallelElements = 16 * kBlockElements;

// Where elements of a run lie in pieces, this many about a cut are brought
// together: enough for the widest vectors.
constexpr std::size_t kRunUnit = 64;
static_assert(kRunUnit % kernels::kPartialSums == 0);

// Tensors from these sizes on do not stay in the cache with their results, so that
// stores that bypass it are faster (docs/design.md has the figures).
constexpr std::size_t kElementsPerMib = (std::size_t{1} << 20) / sizeof(float);
constexpr std::size_t kStreamingRunElements = 12 * kElementsPerMib;
constexpr std::size_t kStreamingColumnElements = 9 * kElementsPerMib;
constexpr std::size_t kStreamingGradientElements = 4 * kElementsPerMib;

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

// Calls block(index) for every one.
template <typename Block>
void ForEachBlock(std::size_t element_count, std::size_t block_count, WorkerPool* pool,
                  const Block& block) {
  if (pool != nullptr && pool->threads() > 1 && element_count >= kParallelElements) {
    pool->ForEachBlock(block_count, block);
    return;
  }
  for (std::size_t i = 0; i < block_count; ++i) {
    block(i);
  }
}

kernels::Store StoreFor(std::size_t element_count, std::size_t streaming_elements) {
  return element_count >= streaming_elements ? kernels::Store::kStreaming : kernels::Store::kCached;
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

// Walks over the same elements of `inputs` tensors, which lie in pieces of
// their own, by the runs in which the kernels can take them.
template <std::size_t inputs>
class RunReader {
 public:
  using Pointers = std::array<ElementPointer, inputs>;

  explicit RunReader(const std::array<const ScatteredElements*, inputs>& elements)
      : elements_(elements) {}

  // Calls function(pointers, first element, count) for elements `first` to
  // first + count - 1, in order. Each count is a multiple of `unit`, which is at
  // most kBlockColumns, but for the last.
  template <typename Function>
  void ForEachRun(std::size_t first, std::size_t count, std::size_t unit, Function function) {
    for (const std::size_t end = first + count; first < end;) {
      Pointers pointers;
      std::size_t together = end - first;
      for (std::size_t i = 0; i < inputs; ++i) {
        const ScatteredElements::Run run =
            elements_[i]->RunFrom(first, together, unit, scratch_[i].elements);
        pointers[i] = run.elements;
        together = run.count;
      }
      function(pointers, first, together);
      first += together;
    }
  }

  // Calls function(pointers, first element, rows, columns) for all elements of
  // a block: as many rows at a time as lie together.
  template <typename Function>
  void ForEachRowsOf(const ColumnPartition& partition, const ColumnPartition::Block& block,
                     Function function) {
    const std::size_t stride = partition.columns();
    if (InOnePiece()) {
      const std::size_t first = partition.FirstElement(block);
      Pointers pointers;
      std::ranges::transform(elements_, pointers.begin(), [&](const ScatteredElements* elements) {
        return elements->front() + first;
      });
      function(pointers, first, block.rows, block.columns);
    } else if (block.columns == stride) {
      ForEachRun(partition.FirstElement(block), block.rows * stride, stride,
                 [&](const Pointers& pointers, std::size_t first, std::size_t count) {
                   function(pointers, first, count / stride, stride);
                 });
    } else {
      for (std::size_t row = 0; row < block.rows; ++row) {
        ForEachRow(partition.FirstElement(block) + row * stride, block.columns, function);
      }
    }
    ForEachRow(partition.LastRowElement(block), block.last_row_columns, function);
  }

 private:
  struct alignas(64) Scratch {
    float elements[ColumnPartition::kBlockColumns];
  };

  bool InOnePiece() const {
    return std::ranges::all_of(elements_, &ScatteredElements::in_one_piece);
  }

  // A row whole, however it lies.
  template <typename Function>
  void ForEachRow(std::size_t first, std::size_t columns, Function function) {
    ForEachRun(first, columns, columns,
               [&](const Pointers& pointers, std::size_t element, std::size_t count) {
                 function(pointers, element, std::size_t{1}, count);
               });
  }

  std::array<const ScatteredElements*, inputs> elements_;
  std::array<Scratch, inputs> scratch_;
};

// Adds rows of sums from top to bottom, then the columns of each channel from
// left to right.
std::vector<double> AddRowsAndColumns(const ColumnPartition& partition, std::size_t channel_count,
                                      std::span<double> sums) {
  const std::size_t columns = partition.columns();
  for (std::size_t row = columns; row < sums.size(); row += columns) {
    for (std::size_t column = 0; column < columns; ++column) {
      sums[column] += sums[row + column];
    }
  }
  std::vector<double> channels(channel_count);
  partition.ForEachColumn(
      [&](std::size_t column, std::size_t channel) { channels[channel] += sums[column]; });
  return channels;
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
  const auto levels = static_cast<float>(spec.levels());
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
                        .levels = static_cast<float>(spec.levels())};
  if (layout.element_count() == 0) {
    return parameters;
  }
  parameters.channels.reserve(layout.channels);
  for (std::size_t channel = 0; channel < layout.channels; ++channel) {
    parameters.channels.push_back(MakeChannelParameters(nudged_range, range, spec, channel));
  }
  if (HasLongRuns(layout)) {
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

absl::Status FakeQuantization::Apply(const ScatteredElements& input, std::span<float> output,
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
    ApplyToRuns(input, output.data(), pool);
  } else {
    ApplyToColumns(input, output.data(), pool);
  }
  return absl::OkStatus();
}

void FakeQuantization::ApplyToRuns(const ScatteredElements& input, float* output,
                                   WorkerPool* pool) const {
  const RunPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count(), kStreamingRunElements);
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const RunPartition::Block block = partition.block(index);
    RunReader<1> reader({&input});
    for (std::size_t i = 0; i < block.segment_count; ++i) {
      const RunPartition::Segment segment = partition.segment(block.first_segment + i);
      if (IsZero(nudged_range_, segment.channel)) {
        std::fill_n(output + segment.first_element, segment.element_count, 0.0F);
        continue;
      }
      reader.ForEachRun(segment.first_element, segment.element_count, kRunUnit,
                        [&](const auto& pointers, std::size_t first, std::size_t count) {
                          kernels::FakeQuantizeRun(pointers[0], count,
                                                   parameters_->channels[segment.channel],
                                                   parameters_->rounding, store, output + first);
                        });
    }
  });
}

void FakeQuantization::ApplyToColumns(const ScatteredElements& input, float* output,
                                      WorkerPool* pool) const {
  const ColumnPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count(), kStreamingColumnElements);
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const ColumnPartition::Block block = partition.block(index);
    const kernels::ColumnParameters* const columns =
        &parameters_->columns[block.first_column / kernels::kMaxLanes];
    RunReader<1>({&input}).ForEachRowsOf(
        partition, block,
        [&](const auto& pointers, std::size_t first, std::size_t rows, std::size_t width) {
          kernels::FakeQuantizeColumns(pointers[0], rows, width, partition.columns(), columns,
                                       parameters_->levels, store, output + first);
        });
    // The kernel keeps NaN, but a channel of zeros has none.
    ForEachElementOf(parameters_->zero_columns, partition, block,
                     [&](std::size_t element) { output[element] = 0; });
  });
}

absl::Status FakeQuantization::ApplyGradient(const ScatteredElements& gradients,
                                             const ScatteredElements& inputs,
                                             const Gradients& result, WorkerPool* pool) const {
  const bool no_sums = result.min_sum.empty() && result.max_sum.empty();
  const std::size_t sum_count = no_sums ? 0 : channel_count();
  const struct {
    absl::string_view name;
    std::size_t size;
    std::size_t expected;
  } spans[] = {{"gradients", gradients.size(), element_count()},
               {"inputs", inputs.size(), element_count()},
               {"input_gradients", result.input.size(), element_count()},
               {"min_gradient", result.min.size(), channel_count()},
               {"max_gradient", result.max.size(), channel_count()},
               {"min_gradient_sum", result.min_sum.size(), sum_count},
               {"max_gradient_sum", result.max_sum.size(), sum_count}};
  for (const auto& [name, size, expected] : spans) {
    if (absl::Status status = CheckSpan(name, size, expected); !status.ok()) {
      return status;
    }
  }
  RangeGradients sums = DifferentiateElements(gradients, inputs, result.input.data(), pool);
  const auto to_float = [](double sum) { return static_cast<float>(sum); };
  std::ranges::transform(sums.min, result.min.begin(), to_float);
  std::ranges::transform(sums.max, result.max.begin(), to_float);
  if (!no_sums) {
    std::ranges::copy(sums.min, result.min_sum.begin());
    std::ranges::copy(sums.max, result.max_sum.begin());
  }
  return absl::OkStatus();
}

FakeQuantization::RangeGradients FakeQuantization::DifferentiateElements(
    const ScatteredElements& gradients, const ScatteredElements& inputs, float* input_gradients,
    WorkerPool* pool) const {
  if (element_count() == 0) {
    return {.min = std::vector<double>(channel_count()),
            .max = std::vector<double>(channel_count())};
  }
  return HasLongRuns(layout_) ? DifferentiateRuns(gradients, inputs, input_gradients, pool)
                              : DifferentiateColumns(gradients, inputs, input_gradients, pool);
}

FakeQuantization::RangeGradients FakeQuantization::DifferentiateRuns(
    const ScatteredElements& gradients, const ScatteredElements& inputs, float* input_gradients,
    WorkerPool* pool) const {
  const RunPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count(), kStreamingGradientElements);
  // One pair of sums for each segment, whichever thread works on it.
  absl::InlinedVector<kernels::RangeGradients, 1> segment_sums(partition.segment_count());
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const RunPartition::Block block = partition.block(index);
    RunReader<2> reader({&gradients, &inputs});
    for (std::size_t i = 0; i < block.segment_count; ++i) {
      const RunPartition::Segment segment = partition.segment(block.first_segment + i);
      if (IsZero(nudged_range_, segment.channel)) {
        gradients.CopyTo(segment.first_element,
                         {input_gradients + segment.first_element, segment.element_count});
        continue;
      }
      const kernels::ChannelParameters& channel = parameters_->channels[segment.channel];
      kernels::PartialSums sums;
      reader.ForEachRun(segment.first_element, segment.element_count, kRunUnit,
                        [&](const auto& pointers, std::size_t first, std::size_t count) {
                          kernels::GradientRun(pointers[0], pointers[1], count, channel.nudged_min,
                                               channel.nudged_max, store, input_gradients + first,
                                               sums);
                        });
      segment_sums[block.first_segment + i] = kernels::AddPartialSums(sums);
    }
  });
  // … and these are added in the order of the segments.
  RangeGradients sums{.min = std::vector<double>(channel_count()),
                      .max = std::vector<double>(channel_count())};
  for (std::size_t i = 0; i < segment_sums.size(); ++i) {
    const std::size_t channel = partition.segment(i).channel;
    sums.min[channel] += segment_sums[i].min;
    sums.max[channel] += segment_sums[i].max;
  }
  return sums;
}

FakeQuantization::RangeGradients FakeQuantization::DifferentiateColumns(
    const ScatteredElements& gradients, const ScatteredElements& inputs, float* input_gradients,
    WorkerPool* pool) const {
  const ColumnPartition partition(layout_);
  const kernels::Store store = StoreFor(element_count(), kStreamingGradientElements);
  // One row of sums for each row of blocks, whichever thread works on it.
  std::vector<double> min_sums(partition.row_blocks() * partition.columns());
  std::vector<double> max_sums(min_sums.size());
  ForEachBlock(element_count(), partition.block_count(), pool, [&](std::size_t index) {
    const ColumnPartition::Block block = partition.block(index);
    const kernels::ColumnParameters* const columns =
        &parameters_->columns[block.first_column / kernels::kMaxLanes];
    const std::size_t sums =
        index % partition.row_blocks() * partition.columns() + block.first_column;
    RunReader<2>({&gradients, &inputs})
        .ForEachRowsOf(
            partition, block,
            [&](const auto& pointers, std::size_t first, std::size_t rows, std::size_t width) {
              kernels::GradientColumns(pointers[0], pointers[1], rows, width, partition.columns(),
                                       columns, parameters_->levels, store, input_gradients + first,
                                       min_sums.data() + sums, max_sums.data() + sums);
            });
    ForEachElementOf(parameters_->zero_columns, partition, block, [&](std::size_t element) {
      gradients.CopyTo(element, {input_gradients + element, 1});
    });
  });
  RangeGradients sums{.min = AddRowsAndColumns(partition, channel_count(), min_sums),
                      .max = AddRowsAndColumns(partition, channel_count(), max_sums)};
  for (std::size_t channel = 0; channel < channel_count(); ++channel) {
    if (IsZero(nudged_range_, channel)) {
      sums.min[channel] = 0;
      sums.max[channel] = 0;
    }
  }
  return sums;
}

}  // namespace quantd::core
