#include "client/library/range_of_data.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// The range of a tensor without elements is sent in one message.
constexpr std::size_t kMaxEmptyChannels = (std::size_t{1} << 30U) / (2 * sizeof(float));

absl::Status TooManyChannels(std::size_t channels) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kMessageTooLarge,
      absl::StrCat("the tensor has no elements but ", channels, " channels; expected at most ",
                   kMaxEmptyChannels, ", whose ranges fit into a message: check the shape"),
      {.metadata = {{"channels", absl::StrCat(channels)},
                    {"max_channels", absl::StrCat(kMaxEmptyChannels)}}});
}

absl::Status CheckSize(const TensorView& data, const core::ChannelLayout& layout) {
  if (data.element_count() != layout.element_count()) {
    return core::WrongSize({.field = "values",
                            .size = data.element_count(),
                            .expected = layout.element_count(),
                            .advice = "pass all elements, or correct the shape"});
  }
  // An empty tensor may claim any number of channels. Others have at least as many
  // elements as channels.
  return data.element_count() == 0 && layout.channels > kMaxEmptyChannels
             ? TooManyChannels(layout.channels)
             : absl::OkStatus();
}

absl::Status InfiniteValue(std::size_t index, float value) {
  return core::InvalidArgument(
      core::ErrorReason::kInvalidRange,
      absl::StrCat("element ", index, " (in C order) is ", value,
                   ", so the data's own range has no end; expected finite values or NaN: choose "
                   "min and max yourself, and infinities will be clamped to them"),
      {.field = absl::StrCat("values[", index, "]"), .metadata = {{"index", absl::StrCat(index)}}});
}

// Widens a range to hold `value`.
void Extend(float value, float* min, float* max) {
  *min = std::fmin(*min, value);  // Ignores NaN.
  *max = std::fmax(*max, value);
}

// Sets the range to 0 for channels without values, or with only NaN.
void ZeroEmptyRanges(RangeValues* range) {
  for (std::size_t channel = 0; channel < range->min.size(); ++channel) {
    if (range->min[channel] > range->max[channel]) {
      range->min[channel] = 0;
      range->max[channel] = 0;
    }
  }
}

}  // namespace

absl::StatusOr<RangeValues> RangeOfData(const TensorView& data, std::optional<std::int32_t> axis) {
  ASSIGN_OR_RETURN(const core::ChannelLayout layout, core::MakeChannelLayout(data.shape, axis));
  RETURN_IF_ERROR(CheckSize(data, layout));
  RangeValues range{.min = std::vector<float>(layout.channels, kInfinity),
                    .max = std::vector<float>(layout.channels, -kInfinity),
                    .axis = axis};
  const std::span<const float> values = data.elements<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isinf(values[i])) {
      return InfiniteValue(i, values[i]);
    }
    const std::size_t channel = i / layout.inner % layout.channels;
    Extend(values[i], &range.min[channel], &range.max[channel]);
  }
  ZeroEmptyRanges(&range);
  return range;
}

}  // namespace quantd::client
