#include "core/operations/quantization_plan.h"

#include <cassert>
#include <span>
#include <utility>

namespace quantd::core {
namespace {

// One value per channel, in views that a loop can index without looking where the
// values are.
struct NudgedChannels {
  explicit NudgedChannels(const NudgedRange& range)
      : min(range.min), max(range.max), scale(range.scale), zero_point(range.zero_point) {}

  std::span<const float> min;
  std::span<const float> max;
  std::span<const float> scale;
  std::span<const std::int32_t> zero_point;
};

kernels::ChannelParameters MakeChannelParameters(const Range& range, const QuantizationSpec& spec,
                                                 const NudgedChannels& nudged,
                                                 std::size_t channel) {
  if (nudged.scale[channel] == 0) {
    return {};
  }
  const auto levels = static_cast<float>(spec.levels());
  return {.nudged_min = nudged.min[channel],
          .nudged_max = nudged.max[channel],
          .scale = nudged.scale[channel],
          .inverse_scale = levels / (range.max[channel] - range.min[channel]),
          .lowest_step = static_cast<float>(spec.quant_min() - nudged.zero_point[channel])};
}

}  // namespace

QuantizationPlan::QuantizationPlan(const Range& range, const QuantizationSpec& spec,
                                   NudgedRange nudged_range)
    : axis_(range.axis),
      nudged_range_(std::move(nudged_range)),
      levels_(static_cast<float>(spec.levels())),
      quotient_(RowOf(spec.numerics).quotient(range)),
      ties_(RowOf(spec.numerics).ties),
      mask_(RowOf(spec.numerics).mask) {
  assert(range.min.size() == nudged_range_.min.size());
  channels_.resize(range.min.size());
  const NudgedChannels nudged(nudged_range_);
  const std::span channels(channels_);
  for (std::size_t channel = 0; channel < channels.size(); ++channel) {
    channels[channel] = MakeChannelParameters(range, spec, nudged, channel);
  }
}

std::shared_ptr<const QuantizationPlan::Columns> QuantizationPlan::ColumnsFor(
    const ColumnPartition& partition) const {
  assert(partition.channels() == channel_count());
  {
    const MutexLock lock(&mutex_);
    if (columns_ != nullptr && columns_inner_ == partition.inner()) {
      return columns_;
    }
  }
  // Without the mutex: threads that need them at the same time make the same ones.
  auto columns = std::make_shared<const Columns>(ExpandTo(partition));
  const MutexLock lock(&mutex_);
  columns_ = columns;
  columns_inner_ = partition.inner();
  return columns;
}

QuantizationPlan::Columns QuantizationPlan::ExpandTo(const ColumnPartition& partition) const {
  Columns columns;
  columns.blocks.resize((partition.columns() + kernels::kMaxLanes - 1) / kernels::kMaxLanes);
  kernels::ColumnParameters* const blocks = columns.blocks.data();
  const kernels::ChannelParameters* const channels = channels_.data();
  partition.ForEachColumn([&](std::size_t column, std::size_t channel) {
    kernels::ColumnParameters& block = blocks[column / kernels::kMaxLanes];
    const std::size_t lane = column % kernels::kMaxLanes;
    block.scale[lane] = channels[channel].scale;
    block.inverse_scale[lane] = channels[channel].inverse_scale;
    block.lowest_step[lane] = channels[channel].lowest_step;
    if (channels[channel].scale == 0) {
      columns.zero_columns.push_back(column);
    }
  });
  return columns;
}

}  // namespace quantd::core
