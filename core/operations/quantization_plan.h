// The part of a quantization that follows from its range and spec alone.

#ifndef QUANTD_CORE_OPERATIONS_QUANTIZATION_PLAN_H_
#define QUANTD_CORE_OPERATIONS_QUANTIZATION_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "core/kernels/parameters.h"
#include "core/numerics.h"
#include "core/operations/partition.h"
#include "core/quantization.h"

namespace quantd::core {

// The parameters of the kernels for a range and a spec, without a shape. Immutable
// but for a cache, and safe for use by several threads at once.
class QuantizationPlan {
 public:
  // `nudged_range` is what Nudge() made of `range` and `spec`.
  QuantizationPlan(const Range& range, const QuantizationSpec& spec, NudgedRange nudged_range);

  QuantizationPlan(const QuantizationPlan&) = delete;
  QuantizationPlan& operator=(const QuantizationPlan&) = delete;

  // The axis of the range.
  std::optional<std::int32_t> axis() const { return axis_; }
  std::size_t channel_count() const { return channels_.size(); }
  const NudgedRange& nudged_range() const { return nudged_range_; }

  // The number of steps between the lowest and the highest code.
  float levels() const { return levels_; }
  Quotient quotient() const { return quotient_; }
  TieRule ties() const { return ties_; }
  GradientMask mask() const { return mask_; }

  const kernels::ChannelParameters& channel(std::size_t index) const { return channels_[index]; }

  // Whether min and max of the channel are 0: it has no scale, and kernels must not
  // see it. All its outputs are 0, and its gradients pass through.
  bool IsZero(std::size_t channel) const { return channels_[channel].scale == 0; }

  // The parameters of the channels, repeated over the columns of a row.
  struct Columns {
    // For column j, those of lane j % kMaxLanes of block j / kMaxLanes.
    std::vector<kernels::ColumnParameters> blocks;
    // The columns of the channels that are IsZero(), in increasing order.
    std::vector<std::size_t> zero_columns;
  };

  // Returns the parameters for `partition`, which has channel_count() channels.
  // Keeps the last ones, so that tensors that differ in nothing but their number of
  // rows share them.
  std::shared_ptr<const Columns> ColumnsFor(const ColumnPartition& partition) const;

 private:
  Columns ExpandTo(const ColumnPartition& partition) const;

  const std::optional<std::int32_t> axis_;
  const NudgedRange nudged_range_;
  const float levels_;
  const Quotient quotient_;
  const TieRule ties_;
  const GradientMask mask_;
  PerChannel<kernels::ChannelParameters> channels_;

  mutable Mutex mutex_;
  // The last columns, and the number of elements between neighbouring channels
  // that they are for.
  mutable std::shared_ptr<const Columns> columns_ ABSL_GUARDED_BY(mutex_);
  mutable std::size_t columns_inner_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_QUANTIZATION_PLAN_H_
