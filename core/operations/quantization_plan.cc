#include "core/operations/quantization_plan.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/affine_check.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/kernels/inverse.h"
#include "core/nudging.h"
#include "core/operations/passing_inputs.h"
#include "core/range_check.h"

namespace quantd::core {
namespace {

absl::Status RangeSizeMismatch(std::size_t size, std::size_t expected,
                               const std::string& expectation) {
  return InvalidArgument(
      ErrorReason::kRangeSizeMismatch,
      absl::StrCat("range.min and range.max have ", size, " values; expected ", expectation),
      {.field = "range.min",
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(expected)}}});
}

absl::Status ScaleSizeMismatch(std::size_t size, std::size_t expected, bool has_blocks) {
  return InvalidArgument(
      ErrorReason::kParametersSizeMismatch,
      absl::StrCat(
          "affine.scale has ", size, " values; expected ", expected, ", one for each ",
          has_blocks ? "block along the axis, in C order of the blocks" : "channel of the axis",
          ": send as many, or correct the shape"),
      {.field = "affine.scale",
       .metadata = {{"size", absl::StrCat(size)}, {"expected", absl::StrCat(expected)}}});
}

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

// Returns what kernels with this formula need to divide by `scale`.
float InverseLowFor(OperationKind operation, StepFormula step, float scale) {
  const bool quantizes =
      operation == OperationKind::kFakeQuantize || operation == OperationKind::kQuantize;
  return quantizes && Divides(step) ? kernels::InverseLow(scale) : 0;
}

kernels::ChannelParameters MakeChannelParameters(OperationKind operation, const Range& range,
                                                 const ResolvedSpec& spec,
                                                 const NudgedChannels& nudged,
                                                 std::size_t channel) {
  const float scale = nudged.scale[channel];
  if (scale == 0) {
    return {};
  }
  // Kernels that divide do so by the inverse of the scale itself.
  const InverseRule inverse = Divides(spec.step)                  ? InverseRule::kFromScale
                              : IsSimplified(range, spec.range()) ? InverseRule::kFromRange
                                                                  : spec.range().inverse;
  return {.nudged_min = nudged.min[channel],
          .nudged_max = nudged.max[channel],
          .scale = scale,
          .inverse_scale = InverseScale(range.min[channel], range.max[channel], scale,
                                        static_cast<float>(spec.codes.levels()), inverse),
          .inverse_scale_low = InverseLowFor(operation, spec.step, scale),
          .lowest_step = static_cast<float>(spec.codes.min - nudged.zero_point[channel]),
          .highest_step = static_cast<float>(spec.codes.max - nudged.zero_point[channel])};
}

std::optional<std::int32_t> AxisOf(const QuantizationParameters& parameters) {
  return std::visit([](const auto& given) { return given.axis; }, parameters);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const QuantizationPlan>> QuantizationPlan::Create(
    OperationKind operation, const QuantizationParameters& parameters, const QuantizationSpec& spec,
    const ConversionTypes& types) {
  ASSIGN_OR_RETURN(const ResolvedSpec resolved, Resolve(operation, parameters, spec, types));
  // Not make_shared(), for which the constructor would have to be public.
  std::shared_ptr<QuantizationPlan> plan =
      absl::WrapUnique(new QuantizationPlan(operation, parameters, resolved, types));
  if (const auto* affine = std::get_if<AffineParameters>(&parameters)) {
    RETURN_IF_ERROR(CheckAffineParameters(*affine, resolved));
    plan->SetScales(*affine);
    return plan;
  }
  RETURN_IF_ERROR(plan->CheckAndSetRange(std::get<Range>(parameters)));
  return plan;
}

absl::Status QuantizationPlan::CheckAndSetRange(const Range& range) {
  const RangeArithmetic& arithmetic = spec_.range();
  if (arithmetic.rule == RangeRule::kNudged) {
    ASSIGN_OR_RETURN(
        NudgedRange nudged_range,
        Nudge(range, spec_,
              operation_ == OperationKind::kFakeQuantizeGradient ? arithmetic.gradient_zero_point
                                                                 : arithmetic.zero_point));
    SetRange(range, std::move(nudged_range));
  } else {
    RETURN_IF_ERROR(CheckSizes(range));
    RETURN_IF_ERROR(SetUnnudgedRange(range));
  }
  if (!range.axis.has_value() && range.min.size() != 1) {
    return RangeSizeMismatch(range.min.size(), 1,
                             "1 for the whole tensor: set range.axis to have one for each channel");
  }
  has_zero_channels_ =
      arithmetic.has_zero_range &&
      std::ranges::any_of(channels_, [](const auto& channel) { return channel.scale == 0; });
  return absl::OkStatus();
}

QuantizationPlan::QuantizationPlan(OperationKind operation,
                                   const QuantizationParameters& parameters,
                                   const ResolvedSpec& spec, const ConversionTypes& types)
    : operation_(operation),
      spec_(spec),
      types_(types),
      axis_(AxisOf(parameters)),
      rules_({.step = spec.step,
              .quant_min = static_cast<float>(spec.codes.min),
              .levels = static_cast<float>(spec.codes.levels()),
              .code_offset = spec.code_offset}) {}

void QuantizationPlan::SetRules(const RangeArithmetic& arithmetic) {
  rules_.keeps_nan = arithmetic.nan == NanRule::kKept;
  rules_.flushes_subnormals = arithmetic.flushes_subnormals;
  mask_ = arithmetic.gradient.value_or(GradientMask::kProduct);
}

void QuantizationPlan::SetRange(const Range& range, NudgedRange nudged_range) {
  nudged_range_ = std::move(nudged_range);
  SetRules(spec_.range());
  channels_.resize(range.min.size());
  const NudgedChannels nudged(*nudged_range_);
  const std::span channels(channels_);
  for (std::size_t channel = 0; channel < channels.size(); ++channel) {
    channels[channel] = MakeChannelParameters(operation_, range, spec_, nudged, channel);
  }
  if (operation_ == OperationKind::kFakeQuantizeGradient) {
    bounds_.resize(channels.size());
    for (std::size_t channel = 0; channel < channels.size(); ++channel) {
      bounds_[channel] = {.lower = nudged.min[channel], .upper = nudged.max[channel]};
    }
  }
}

absl::Status QuantizationPlan::SetUnnudgedRange(const Range& range) {
  const std::size_t count = range.min.size();
  SetRules(spec_.range());
  if (spec_.range().rule == RangeRule::kMinFirst && operation_ == OperationKind::kDequantize) {
    // Its lower end is the value of the code 0, even if that is not the lowest.
    rules_.code_offset = 0;
  }
  nudged_range_ = NudgedRange{.min = PerChannel<float>(count),
                              .max = PerChannel<float>(count),
                              .scale = PerChannel<float>(count),
                              .zero_point = PerChannel<std::int32_t>(count)};
  channels_.resize(count);
  bounds_.reserve(operation_ == OperationKind::kFakeQuantizeGradient ? count : 0);
  float64_channels_.reserve(types_.input == ElementType::kFloat64 ? count : 0);
  for (std::size_t channel = 0; channel < count; ++channel) {
    const float min = range.min[channel];
    const float max = range.max[channel];
    if (types_.input == ElementType::kFloat64) {
      RETURN_IF_ERROR(AddFloat64Range(min, max, channel));
    } else if (spec_.range().rule == RangeRule::kQuantizeAndDequantize) {
      ASSIGN_OR_RETURN(const auto scaled,
                       ScaleQuantizeAndDequantize<float>(min, max, spec_, channel));
      SetUnnudgedChannel(channel, scaled);
    } else {
      ASSIGN_OR_RETURN(const auto scaled, ScaleQuantizeV2(operation_, min, max, spec_, channel));
      SetUnnudgedChannel(channel, scaled);
    }
    if (operation_ == OperationKind::kFakeQuantizeGradient) {
      bounds_.push_back({.lower = min, .upper = max});
    }
  }
  return absl::OkStatus();
}

void QuantizationPlan::SetUnnudgedChannel(std::size_t channel, const ScaledRange<float>& scaled) {
  // What lies between these and the ends of the op rounds to the same code.
  channels_[channel] = {.nudged_min = scaled.lowest_step * scaled.scale,
                        .nudged_max = (scaled.lowest_step + rules_.levels) * scaled.scale,
                        .scale = scaled.scale,
                        .inverse_scale = scaled.inverse_scale,
                        .lowest_step = scaled.lowest_step,
                        .highest_step = scaled.lowest_step + rules_.levels};
  if (scaled.is_zero) {
    nudged_range_->zero_point[channel] = spec_.codes.min;
    return;
  }
  nudged_range_->min[channel] = scaled.min;
  nudged_range_->max[channel] = scaled.max;
  nudged_range_->scale[channel] = scaled.scale;
  nudged_range_->zero_point[channel] = scaled.zero_point;
}

absl::Status QuantizationPlan::AddFloat64Range(float min, float max, std::size_t channel) {
  ASSIGN_OR_RETURN(const auto scaled, ScaleQuantizeAndDequantize<double>(min, max, spec_, channel));
  const bool is_gradient = operation_ == OperationKind::kFakeQuantizeGradient;
  float64_channels_.push_back({.scale = scaled.scale,
                               .inverse_scale = scaled.inverse_scale,
                               .lower = is_gradient ? double{min} : scaled.min,
                               .upper = is_gradient ? double{max} : scaled.max});
  SetUnnudgedChannel(channel, {.min = static_cast<float>(scaled.min),
                               .max = static_cast<float>(scaled.max),
                               .scale = static_cast<float>(scaled.scale),
                               .inverse_scale = static_cast<float>(scaled.inverse_scale),
                               .lowest_step = static_cast<float>(scaled.lowest_step),
                               .zero_point = scaled.zero_point,
                               .is_zero = scaled.is_zero});
  return absl::OkStatus();
}

void QuantizationPlan::SetScales(const AffineParameters& affine) {
  block_size_ = affine.block_size.value_or(0);
  const std::size_t count = affine.scale.size();
  channels_.resize(count);
  zero_points_.assign(affine.zero_point.begin(), affine.zero_point.end());
  zero_points_.resize(count);
  const std::span channels(channels_);
  for (std::size_t i = 0; i < count; ++i) {
    const float scale = affine.scale[i];
    const auto lowest_step = static_cast<float>(std::int64_t{spec_.codes.min} - zero_points_[i]);
    channels[i] = {.nudged_min = lowest_step * scale,
                   .nudged_max = (lowest_step + rules_.levels) * scale,
                   .scale = scale,
                   .inverse_scale = 1 / scale,
                   .inverse_scale_low = InverseLowFor(operation_, spec_.step, scale),
                   .lowest_step = lowest_step,
                   .highest_step = lowest_step + rules_.levels};
  }
  if (types_.input == ElementType::kFloat64) {
    float64_channels_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      float64_channels_.push_back({.scale = channels[i].scale,
                                   .inverse_scale = channels[i].inverse_scale,
                                   .zero_point = static_cast<double>(zero_points_[i]),
                                   .quant_min = static_cast<double>(spec_.codes.min),
                                   .quant_max = static_cast<double>(spec_.codes.max)});
    }
  }
  if (operation_ == OperationKind::kFakeQuantizeGradient) {
    SetBoundsOfScales();
  }
}

void QuantizationPlan::SetBoundsOfScales() {
  bounds_.reserve(channels_.size());
  // Of kMultiplyHalfEven, which is the only formula of scales with a gradient. Codes of
  // more than 64 bits count as the lowest, so that they are outside as well.
  const auto quant_min = static_cast<float>(spec_.codes.min);
  const auto quant_max = static_cast<float>(spec_.codes.max);
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    const auto zero_point = static_cast<float>(zero_points_[i]);
    const float inverse_scale = channels_[i].inverse_scale;
    const Interval<float> passing =
        ValuesWithCodes(quant_min, quant_max, [zero_point, inverse_scale](float x) {
          return zero_point + std::nearbyint(x * inverse_scale);
        });
    bounds_.push_back({.lower = passing.lower, .upper = passing.upper});
  }
  for (kernels::Float64Channel& channel : float64_channels_) {
    const Interval<double> passing =
        ValuesWithCodes(double{quant_min}, double{quant_max}, [&channel](double x) {
          return channel.zero_point + std::nearbyint(x * channel.inverse_scale);
        });
    channel.lower = passing.lower;
    channel.upper = passing.upper;
  }
}

UsedParameters QuantizationPlan::used_parameters() const {
  UsedParameters used{.scale = PerChannel<float>(channel_count()),
                      .zero_point = PerChannel<std::int32_t>(channel_count()),
                      .axis = axis_,
                      .block_size = block_size_ == 0 ? std::nullopt : std::optional(block_size_)};
  for (std::size_t i = 0; i < channel_count(); ++i) {
    used.scale[i] = channels_[i].scale;
    used.zero_point[i] = nudged_range_.has_value()
                             ? nudged_range_->zero_point[i] - spec_.code_offset
                             : zero_points_[i];
  }
  return used;
}

absl::StatusOr<ParameterLayout> QuantizationPlan::LayoutOf(
    std::span<const std::int64_t> shape) const {
  const bool by_range = nudged_range_.has_value();
  ASSIGN_OR_RETURN(
      const ParameterLayout layout,
      MakeParameterLayout(shape, axis_, block_size_, by_range ? "range.axis" : "affine.axis"));
  const std::size_t expected = layout.parameter_count();
  if (expected != channel_count()) {
    return by_range
               ? RangeSizeMismatch(
                     channel_count(), expected,
                     absl::StrCat(
                         expected,
                         ", one for each channel of the axis: send as many, or correct the shape"))
               : ScaleSizeMismatch(channel_count(), expected, layout.has_blocks());
  }
  return layout;
}

std::size_t QuantizationPlan::WorkingBytes(std::span<const std::int64_t> shape) const {
  const std::size_t bits = RowOf(types_.input).bits;
  const bool has_sums = operation_ == OperationKind::kFakeQuantizeGradient;
  if (channel_count() == 1 && bits >= 8 && !has_sums) {
    return 0;
  }
  const absl::StatusOr<ParameterLayout> layout_of_shape = LayoutOf(shape);
  if (!layout_of_shape.ok()) {
    return 0;
  }
  const ParameterLayout& layout = *layout_of_shape;
  const std::size_t elements = layout.element_count();
  // Packed codes are unpacked first, and perhaps put together before.
  const std::size_t unpacked = bits < 8 ? elements + elements * bits / 8 : 0;
  if (elements == 0 || layout.has_blocks()) {
    return unpacked;
  }
  // Of each channel, below and above its range.
  const std::size_t channel_sums = has_sums ? channel_count() * 2 * sizeof(double) : 0;
  if (HasLongRuns(layout.channels)) {
    return unpacked + channel_sums +
           (has_sums ? RunPartition(layout.channels).segment_count() * 2 * sizeof(double) : 0);
  }
  const ColumnPartition partition(layout.channels);
  const std::size_t sums =
      has_sums ? partition.row_blocks() * partition.columns() * 2 * sizeof(double) : 0;
  const std::size_t bytes_per_column =
      (has_sums ? sizeof(kernels::ColumnBounds) : sizeof(kernels::ColumnParameters)) /
      kernels::kMaxLanes;
  return unpacked + channel_sums + sums +
         std::min(partition.columns(), kMostSharedColumns) * bytes_per_column;
}

QuantizationPlan::BlockColumns::BlockColumns(const QuantizationPlan& plan,
                                             const ColumnPartition& partition)
    : plan_(plan),
      partition_(partition),
      shared_(partition.columns() > kMostSharedColumns ? nullptr : plan.ColumnsFor(partition)) {}

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

void QuantizationPlan::SetColumn(std::size_t column, std::size_t channel, Columns& columns) const {
  const std::size_t lane = column % kernels::kMaxLanes;
  const std::size_t block = column / kernels::kMaxLanes;
  if (operation_ == OperationKind::kFakeQuantizeGradient) {
    columns.bounds[block].lower[lane] = bounds_[channel].lower;
    columns.bounds[block].upper[lane] = bounds_[channel].upper;
  } else {
    const kernels::ChannelParameters& parameters = channels_[channel];
    kernels::ColumnParameters& columns_of_block = columns.blocks[block];
    columns_of_block.nudged_min[lane] = parameters.nudged_min;
    columns_of_block.nudged_max[lane] = parameters.nudged_max;
    columns_of_block.scale[lane] = parameters.scale;
    columns_of_block.inverse_scale[lane] = parameters.inverse_scale;
    columns_of_block.lowest_step[lane] = parameters.lowest_step;
    columns_of_block.highest_step[lane] = parameters.highest_step;
    if (Divides(spec_.step)) {
      columns_of_block.inverse_scale_low[lane] = parameters.inverse_scale_low;
      columns_of_block.have_inverses &= !std::isnan(parameters.inverse_scale_low);
    }
  }
  if (IsZero(channel)) {
    columns.zero_columns.push_back(column);
  }
}

QuantizationPlan::Columns QuantizationPlan::ExpandTo(const ColumnPartition& partition) const {
  Columns columns = EmptyColumns(partition.columns());
  partition.ForEachColumn(
      [&](std::size_t column, std::size_t channel) { SetColumn(column, channel, columns); });
  return columns;
}

QuantizationPlan::Columns QuantizationPlan::ColumnsOf(const ColumnPartition& partition,
                                                      const ColumnPartition::Block& block) const {
  Columns columns = EmptyColumns(block.columns);
  for (std::size_t column = 0; column < block.columns; ++column) {
    SetColumn(column, partition.ChannelOf(block.first_column + column), columns);
  }
  for (std::size_t& column : columns.zero_columns) {
    column += block.first_column;
  }
  return columns;
}

QuantizationPlan::Columns QuantizationPlan::ColumnsOf(std::size_t first, std::size_t count) const {
  Columns columns = EmptyColumns(count);
  for (std::size_t column = 0; column < count; ++column) {
    SetColumn(column, first + column, columns);
  }
  return columns;
}

QuantizationPlan::Columns QuantizationPlan::EmptyColumns(std::size_t count) const {
  const std::size_t blocks = (count + kernels::kMaxLanes - 1) / kernels::kMaxLanes;
  Columns columns;
  if (operation_ == OperationKind::kFakeQuantizeGradient) {
    columns.bounds.resize(blocks);
  } else {
    columns.blocks.resize(blocks);
  }
  return columns;
}

}  // namespace quantd::core
