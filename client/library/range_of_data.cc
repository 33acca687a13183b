#include "client/library/range_of_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/reference.h"
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

float WithoutSubnormals(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? 0.0F : value;
}

struct Ends {
  float min;
  float max;
};

// Whether the reference gives `value` for itself. Several channels may be computed in
// another way than one.
bool IsExact(float value, const Ends& ends, std::size_t channels,
             const core::QuantizationSpec& spec) {
  constexpr std::size_t kSeveral = 2;
  const std::size_t count = std::min(channels, kSeveral);
  const std::array values = {value, value};
  const std::array min = {ends.min, ends.min};
  const std::array max = {ends.max, ends.max};
  const std::array shape = {static_cast<std::int64_t>(count)};
  const core::Range range = {.min = std::span(min).first(count),
                             .max = std::span(max).first(count),
                             .axis = count > 1 ? std::optional(0) : std::nullopt};
  const auto result = core::reference::FakeQuantize(
      shape, std::span<const float>(values).first(count), range, spec);
  return result.ok() && result->front() == value;
}

// Returns a range from 0 in which `value` is one that a code represents: the highest
// code, the middle one, which makes the scale a power of two apart from the value, or
// one that rounding spares. If there is none, the range from 0 to `value`.
Ends EndsOfConstant(float value, std::size_t channels, const core::QuantizationSpec& spec) {
  constexpr int kMaxCodes = 24;
  const Ends highest = {.min = std::min(value, 0.0F), .max = std::max(value, 0.0F)};
  const std::uint32_t bits = std::clamp(spec.num_bits.value_or(core::kDefaultNumBits),
                                        core::kMinNumBits, core::kMaxNumBits);
  const int middle = 1 << (bits - 1);
  const int levels = 2 * middle - (spec.narrow_range ? 2 : 1);
  for (int i = -1; i < std::min(levels - 1, kMaxCodes); ++i) {
    // All but the middle one in descending order.
    const double stretch =
        static_cast<double>(levels) / (i == 0 ? middle : levels - std::max(i, 0));
    const Ends ends = {.min = static_cast<float>(highest.min * stretch),
                       .max = static_cast<float>(highest.max * stretch)};
    if (IsExact(value, ends, channels, spec)) {
      return ends;
    }
  }
  return highest;
}

}  // namespace

bool IsTooNarrow(float min, float max) {
  // Half a step must be a normal number with the most bits.
  constexpr float kLeastWidth = 65536 * 2 * std::numeric_limits<float>::min();
  return max - min < kLeastWidth;
}

QuantizableRange MakeQuantizable(const RangeValues& data, const core::QuantizationSpec& spec) {
  const std::size_t channels = data.min.size();
  QuantizableRange quantizable{.range = data, .channels_of_zeros = {}};
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const float least = WithoutSubnormals(data.min[channel]);
    const float greatest = WithoutSubnormals(data.max[channel]);
    Ends ends = {.min = std::min(least, 0.0F), .max = std::max(greatest, 0.0F)};
    if (IsTooNarrow(ends.min, ends.max)) {
      ends = {.min = 0, .max = 1};
      quantizable.channels_of_zeros.push_back(channel);
    } else if (least == greatest) {
      ends = EndsOfConstant(least, channels, spec);
    }
    quantizable.range.min[channel] = ends.min;
    quantizable.range.max[channel] = ends.max;
  }
  return quantizable;
}

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
