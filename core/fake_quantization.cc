#include "core/fake_quantization.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/operations/fake_quantize.h"
#include "core/operations/fake_quantize_gradient.h"
#include "core/operations/quantization_plan.h"

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

absl::Status ShapesDiffer() {
  return InvalidArgument(ErrorReason::kShapeMismatch,
                         "gradients and inputs differ in shape or type; expected the same: send "
                         "the inputs that the gradients belong to",
                         {.field = "inputs.shape"});
}

}  // namespace

absl::StatusOr<FakeQuantization> FakeQuantization::Create(const Range& range,
                                                          const QuantizationSpec& spec) {
  ASSIGN_OR_RETURN(NudgedRange nudged_range, Nudge(range, spec));
  if (!range.axis.has_value() && range.min.size() != 1) {
    return RangeSizeMismatch(range.min.size(), 1,
                             "1 for the whole tensor: set range.axis to have one for each channel");
  }
  return FakeQuantization(
      std::make_shared<const QuantizationPlan>(range, spec, std::move(nudged_range)));
}

std::size_t FakeQuantization::channel_count() const { return plan_->channel_count(); }

const NudgedRange& FakeQuantization::nudged_range() const { return plan_->nudged_range(); }

absl::StatusOr<ChannelLayout> FakeQuantization::LayoutOf(
    std::span<const std::int64_t> shape) const {
  ASSIGN_OR_RETURN(const ChannelLayout layout, MakeChannelLayout(shape, plan_->axis()));
  if (layout.channels != channel_count()) {
    return RangeSizeMismatch(channel_count(), layout.channels,
                             absl::StrCat(layout.channels, ", one for each channel of the axis"));
  }
  return layout;
}

absl::Status FakeQuantization::CheckShape(std::span<const std::int64_t> shape) const {
  return LayoutOf(shape).status();
}

absl::Status FakeQuantization::Apply(const TensorView& input, const OutputView& output,
                                     WorkerPool* pool) const {
  ASSIGN_OR_RETURN(const ChannelLayout layout, LayoutOf(input.shape));
  RETURN_IF_ERROR(CheckSize("input", input.element_count(), layout.element_count()));
  RETURN_IF_ERROR(CheckSize("output", output.element_count(), layout.element_count()));
  FakeQuantize(*plan_, layout, input, output, pool);
  return absl::OkStatus();
}

absl::Status FakeQuantization::CheckGradientSizes(std::size_t element_count,
                                                  const TensorView& gradients,
                                                  const TensorView& inputs,
                                                  const Gradients& result) const {
  const bool no_sums = result.min_sum.empty() && result.max_sum.empty();
  const std::size_t sum_count = no_sums ? 0 : channel_count();
  RETURN_IF_ERROR(CheckSize("gradients", gradients.element_count(), element_count));
  RETURN_IF_ERROR(CheckSize("inputs", inputs.element_count(), element_count));
  RETURN_IF_ERROR(CheckSize("input_gradients", result.input.element_count(), element_count));
  RETURN_IF_ERROR(CheckSize("min_gradient", result.min.size(), channel_count()));
  RETURN_IF_ERROR(CheckSize("max_gradient", result.max.size(), channel_count()));
  RETURN_IF_ERROR(CheckSize("min_gradient_sum", result.min_sum.size(), sum_count));
  return CheckSize("max_gradient_sum", result.max_sum.size(), sum_count);
}

absl::Status FakeQuantization::ApplyGradient(const TensorView& gradients, const TensorView& inputs,
                                             const Gradients& result, WorkerPool* pool) const {
  ASSIGN_OR_RETURN(const ChannelLayout layout, LayoutOf(inputs.shape));
  if (gradients.type != inputs.type || !std::ranges::equal(gradients.shape, inputs.shape)) {
    return ShapesDiffer();
  }
  RETURN_IF_ERROR(CheckGradientSizes(layout.element_count(), gradients, inputs, result));
  const ChannelSums sums =
      FakeQuantizeGradient(*plan_, layout, gradients, inputs, result.input, pool);
  const auto to_float = [](double sum) { return static_cast<float>(sum); };
  std::ranges::transform(sums.below, result.min.begin(), to_float);
  std::ranges::transform(sums.above, result.max.begin(), to_float);
  if (!result.min_sum.empty()) {
    std::ranges::copy(sums.below, result.min_sum.begin());
    std::ranges::copy(sums.above, result.max_sum.begin());
  }
  return absl::OkStatus();
}

}  // namespace quantd::core
