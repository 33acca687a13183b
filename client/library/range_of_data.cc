#include "client/library/range_of_data.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// The range of a tensor without elements is sent in one message.
constexpr std::size_t kMaxEmptyChannels = (std::size_t{1} << 30U) / (2 * sizeof(float));

absl::Status TooManyChannels(std::size_t channels) {
  return core::MakeError(
      absl::StatusCode::kResourceExhausted,
      absl::StrCat("the tensor has no elements but ", channels, " channels; expected at most ",
                   kMaxEmptyChannels, ", whose ranges fit into one message: check the shape"),
      {.reason = std::string(core::reason::kMessageTooLarge),
       .field = "",
       .metadata = {{"channels", absl::StrCat(channels)},
                    {"max_channels", absl::StrCat(kMaxEmptyChannels)}}});
}

absl::Status CheckSizes(const TensorView& data, const core::ChannelLayout& layout) {
  if (data.values.size() != layout.element_count()) {
    return core::InvalidArgument(
        absl::StrCat("the tensor has ", data.values.size(), " values; expected ",
                     layout.element_count(), ", the product of its shape"),
        {.reason = std::string(core::reason::kTensorSizeMismatch),
         .field = "values",
         .metadata = {{"values", absl::StrCat(data.values.size())},
                      {"expected", absl::StrCat(layout.element_count())}}});
  }
  // Only an empty tensor can have more channels than elements, and its shape may claim
  // any number of them.
  return data.values.empty() && layout.channels > kMaxEmptyChannels
             ? TooManyChannels(layout.channels)
             : absl::OkStatus();
}

absl::Status InfiniteValue(std::size_t index, float value) {
  return core::InvalidArgument(
      absl::StrCat(
          "element ", index, " (in C order) is ", value,
          ", so the range of the data is not finite; expected finite values or NaN: choose "
          "min and max explicitly, and infinities will be clamped to them"),
      {.reason = std::string(core::reason::kInvalidRange),
       .field = absl::StrCat("values[", index, "]"),
       .metadata = {{"index", absl::StrCat(index)}}});
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
  const absl::StatusOr<core::ChannelLayout> layout = core::MakeChannelLayout(data.shape, axis);
  if (!layout.ok()) {
    return layout.status();
  }
  const absl::Status sizes = CheckSizes(data, *layout);
  if (!sizes.ok()) {
    return sizes;
  }
  RangeValues range{.min = std::vector<float>(layout->channels, kInfinity),
                    .max = std::vector<float>(layout->channels, -kInfinity),
                    .axis = axis};
  for (std::size_t i = 0; i < data.values.size(); ++i) {
    if (std::isinf(data.values[i])) {
      return InfiniteValue(i, data.values[i]);
    }
    const std::size_t channel = i / layout->inner % layout->channels;
    Extend(data.values[i], &range.min[channel], &range.max[channel]);
  }
  ZeroEmptyRanges(&range);
  return range;
}

}  // namespace quantd::client
