#include "core/tensor_shape.h"

#include <limits>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace quantd::core {
namespace {

constexpr std::size_t kMaxElementCount = std::numeric_limits<std::ptrdiff_t>::max() / 8;

absl::Status NegativeDimension(std::size_t index, std::int64_t size) {
  return InvalidArgument(
      ErrorReason::kTensorSizeMismatch,
      absl::StrCat("dimension ", index, " of the shape is ", size,
                   "; expected 0 or more: send the real size of the dimension"),
      {.field = absl::StrCat("shape[", index, "]"),
       .metadata = {{"dimension", absl::StrCat(index)}, {"size", absl::StrCat(size)}}});
}

absl::Status TooManyElements() {
  return InvalidArgument(
      ErrorReason::kTensorSizeMismatch,
      absl::StrCat("the shape has more elements than fit into memory; expected at most ",
                   kMaxElementCount, ": check the sizes of the dimensions"),
      {.field = "shape", .metadata = {{"max_elements", absl::StrCat(kMaxElementCount)}}});
}

absl::Status AxisOutOfRange(std::string_view field, std::int32_t axis, std::size_t rank) {
  const std::string expected =
      rank == 0 ? "expected none for a scalar: leave out the axis"
                : absl::StrCat("expected -", rank, "..", rank - 1, " for a tensor of rank ", rank,
                               ": choose one of its dimensions");
  return InvalidArgument(
      ErrorReason::kAxisOutOfRange,
      absl::StrCat("axis ", axis, " is outside the tensor's dimensions; ", expected),
      {.field = std::string(field),
       .metadata = {{"axis", absl::StrCat(axis)}, {"rank", absl::StrCat(rank)}}});
}

// Returns the product of sizes that is known not to overflow.
std::size_t Product(std::span<const std::int64_t> sizes) {
  std::size_t product = 1;
  for (const std::int64_t size : sizes) {
    product *= static_cast<std::size_t>(size);
  }
  return product;
}

}  // namespace

absl::StatusOr<std::size_t> ElementCount(std::span<const std::int64_t> shape) {
  std::size_t count = 1;
  bool empty = false;
  bool overflow = false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) {
      return NegativeDimension(i, shape[i]);
    }
    const auto size = static_cast<std::size_t>(shape[i]);
    empty = empty || size == 0;
    overflow = overflow || (size != 0 && count > kMaxElementCount / size);
    count *= size == 0 ? 1 : size;
  }
  // A product that overflows is refused even if another dimension is 0, because the
  // strides would overflow too.
  if (overflow) {
    return TooManyElements();
  }
  return empty ? 0 : count;
}

absl::StatusOr<ChannelLayout> MakeChannelLayout(std::span<const std::int64_t> shape,
                                                std::optional<std::int32_t> axis,
                                                std::string_view axis_field) {
  ASSIGN_OR_RETURN(const std::size_t count, ElementCount(shape));
  if (!axis.has_value()) {
    return ChannelLayout{.outer = 1, .channels = 1, .inner = count};
  }
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t index = *axis < 0 ? *axis + rank : *axis;
  if (index < 0 || index >= rank) {
    return AxisOutOfRange(axis_field, *axis, shape.size());
  }
  const auto dimension = static_cast<std::size_t>(index);
  return ChannelLayout{.outer = Product(shape.first(dimension)),
                       .channels = static_cast<std::size_t>(shape[dimension]),
                       .inner = Product(shape.subspan(dimension + 1))};
}

}  // namespace quantd::core
