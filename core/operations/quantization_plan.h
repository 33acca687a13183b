// The part of a quantization that follows from its parameters and spec alone.

#ifndef QUANTD_CORE_OPERATIONS_QUANTIZATION_PLAN_H_
#define QUANTD_CORE_OPERATIONS_QUANTIZATION_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "core/kernels/float64.h"
#include "core/kernels/parameters.h"
#include "core/numerics.h"
#include "core/operations/partition.h"
#include "core/parameter_layout.h"
#include "core/quantization.h"
#include "core/resolved_spec.h"
#include "core/tensorflow_ranges.h"

namespace quantd::core {

// The parameters of the kernels for an operation, without a shape. Immutable but for
// a cache, and safe for use by several threads at once.
class QuantizationPlan {
 public:
  // Errors: those of Resolve(), Nudge(), ScaleQuantizeAndDequantize(), ScaleQuantizeV2()
  // and CheckAffineParameters(); RANGE_SIZE_MISMATCH for other than one range without an
  // axis.
  static absl::StatusOr<std::shared_ptr<const QuantizationPlan>> Create(
      OperationKind operation, const QuantizationParameters& parameters,
      const QuantizationSpec& spec, const ConversionTypes& types);

  QuantizationPlan(const QuantizationPlan&) = delete;
  QuantizationPlan& operator=(const QuantizationPlan&) = delete;

  const ResolvedSpec& spec() const { return spec_; }
  const ConversionTypes& types() const { return types_; }

  // The number of ranges or scales.
  std::size_t channel_count() const { return channels_.size(); }
  // Nothing with scales.
  const std::optional<NudgedRange>& nudged_range() const { return nudged_range_; }
  // Scale and zero point in the codes of the tensor.
  UsedParameters used_parameters() const;

  // The layout of `shape`. Errors: those of MakeParameterLayout();
  // RANGE_SIZE_MISMATCH or PARAMETERS_SIZE_MISMATCH if it has another number of
  // parameters.
  absl::StatusOr<ParameterLayout> LayoutOf(std::span<const std::int64_t> shape) const;

  const kernels::Rules& rules() const { return rules_; }
  const kernels::ChannelParameters& channel(std::size_t index) const { return channels_[index]; }

  // Whether min and max of the channel are 0: it has no scale, and kernels must not
  // see it. All its outputs are 0, and its gradients pass through.
  bool IsZero(std::size_t channel) const {
    return has_zero_channels_ && channels_[channel].scale == 0;
  }

  // Whether any channel is.
  bool HasZeroChannels() const { return has_zero_channels_; }

  // For codes of 32 bits: how they become distances, and the exact zero points.
  Int32Difference int32_difference() const { return spec_.affine().difference(axis_.has_value()); }
  std::span<const std::int32_t> zero_points() const { return zero_points_; }

  // For gradients.
  GradientMask mask() const { return mask_; }
  const kernels::ChannelBounds& bounds(std::size_t channel) const { return bounds_[channel]; }

  // For tensors of float64.
  const kernels::Float64Channel& float64_channel(std::size_t index) const {
    return float64_channels_[index];
  }

  // The parameters of the channels, repeated over the columns of a row.
  struct Columns {
    // For column j, those of lane j % kMaxLanes of block j / kMaxLanes.
    std::vector<kernels::ColumnParameters> blocks;
    // The same, for gradients.
    std::vector<kernels::ColumnBounds> bounds;
    // The columns of the channels that are IsZero(), in increasing order.
    std::vector<std::size_t> zero_columns;
  };

  // Returns the parameters for `partition`, which has channel_count() channels.
  // Keeps the last ones, so that tensors that differ in nothing but their number of
  // rows share them.
  std::shared_ptr<const Columns> ColumnsFor(const ColumnPartition& partition) const;

  // Returns the parameters of the columns of `block`. Its zero_columns count from the
  // beginning of the row.
  Columns ColumnsOf(const ColumnPartition& partition, const ColumnPartition::Block& block) const;

  // The parameters of the columns of a partition, block by block. Refers to the plan and the
  // partition. Safe for use by several threads at once.
  class BlockColumns {
   public:
    BlockColumns(const QuantizationPlan& plan, const ColumnPartition& partition);

    // Calls use(columns, index of the block's first ones in `blocks` or `bounds`).
    template <typename Use>
    void For(const ColumnPartition::Block& block, const Use& use) const {
      if (shared_ != nullptr) {
        use(*shared_, block.first_column / kernels::kMaxLanes);
      } else {
        use(plan_.ColumnsOf(partition_, block), std::size_t{0});
      }
    }

   private:
    const QuantizationPlan& plan_;
    const ColumnPartition& partition_;
    // Null if there are more than kMostSharedColumns.
    std::shared_ptr<const Columns> shared_;
  };

  // A column takes more memory than its elements in a tensor of few rows. If there are more
  // than this, they are made for each block.
  static constexpr std::size_t kMostSharedColumns = std::size_t{64} * 1024;

  // Returns about how many bytes an operation on tensors of `shape`, which has a layout,
  // allocates besides its output and beyond what the plan has.
  std::size_t WorkingBytes(std::span<const std::int64_t> shape) const;

  // Returns the parameters of `count` channels from `first` on, a column for each.
  Columns ColumnsOf(std::size_t first, std::size_t count) const;

 private:
  QuantizationPlan(OperationKind operation, const QuantizationParameters& parameters,
                   const ResolvedSpec& spec, const ConversionTypes& types);

  // Errors: see Create().
  absl::Status CheckAndSetRange(const Range& range);
  void SetRules(const RangeArithmetic& arithmetic);
  // Set what follows from a range that has been nudged, and from scales that have
  // been checked.
  void SetRange(const Range& range, NudgedRange nudged_range);
  // The same for a range that is not nudged. Errors: those of ScaleQuantizeAndDequantize()
  // and ScaleQuantizeV2().
  absl::Status SetUnnudgedRange(const Range& range);
  // Sets one channel of it.
  void SetUnnudgedChannel(std::size_t channel, const ScaledRange<float>& scaled);
  absl::Status AddFloat64Range(float min, float max, std::size_t channel);
  void SetScales(const AffineParameters& affine);
  void SetBoundsOfScales();

  Columns EmptyColumns(std::size_t count) const;
  void SetColumn(std::size_t column, std::size_t channel, Columns& columns) const;
  Columns ExpandTo(const ColumnPartition& partition) const;

  const OperationKind operation_;
  const ResolvedSpec spec_;
  const ConversionTypes types_;
  const std::optional<std::int32_t> axis_;
  std::uint32_t block_size_ = 0;
  std::optional<NudgedRange> nudged_range_;
  bool has_zero_channels_ = false;
  kernels::Rules rules_;
  GradientMask mask_ = GradientMask::kProduct;
  PerChannel<kernels::ChannelParameters> channels_;
  PerChannel<kernels::ChannelBounds> bounds_;
  std::vector<std::int32_t> zero_points_;
  std::vector<kernels::Float64Channel> float64_channels_;

  mutable Mutex mutex_;
  // The last columns, and the number of elements between neighbouring channels
  // that they are for.
  mutable std::shared_ptr<const Columns> columns_ ABSL_GUARDED_BY(mutex_);
  mutable std::size_t columns_inner_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_OPERATIONS_QUANTIZATION_PLAN_H_
