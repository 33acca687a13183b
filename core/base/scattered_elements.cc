#include "core/base/scattered_elements.h"

#include <algorithm>
#include <cstring>

namespace quantd::core {

ScatteredElements::ScatteredElements(std::span<const float> elements)
    : pieces_{std::as_bytes(elements)}, starts_{0}, size_(elements.size()) {}

ScatteredElements::ScatteredElements(std::span<const Piece> pieces)
    : pieces_(pieces.begin(), pieces.end()), size_(0) {
  starts_.reserve(pieces.size());
  std::size_t bytes = 0;
  for (const Piece piece : pieces) {
    starts_.push_back(bytes);
    bytes += piece.size();
  }
  size_ = bytes / sizeof(float);
}

std::size_t ScatteredElements::PieceOf(std::size_t byte) const {
  const auto* const next = std::ranges::upper_bound(starts_, byte);
  return static_cast<std::size_t>(next - starts_.begin()) - 1;
}

ScatteredElements::Run ScatteredElements::RunFrom(std::size_t first, std::size_t count,
                                                  std::size_t unit, float* scratch) const {
  const std::size_t begin = first * sizeof(float);
  const std::size_t index = PieceOf(begin);
  const Piece rest = pieces_[index].subspan(begin - starts_[index]);
  const std::size_t together = std::min(count, rest.size() / sizeof(float));
  const std::size_t whole = together == count ? count : together - together % unit;
  if (whole > 0) {
    return {ElementPointer(rest.data()), whole};
  }
  const std::size_t copied = std::min(count, unit);
  CopyTo(first, {scratch, copied});
  return {scratch, copied};
}

void ScatteredElements::CopyTo(std::size_t first, std::span<float> output) const {
  std::span<std::byte> target = std::as_writable_bytes(output);
  std::size_t byte = first * sizeof(float);
  for (std::size_t index = target.empty() ? 0 : PieceOf(byte); !target.empty(); ++index) {
    const Piece rest = pieces_[index].subspan(byte - starts_[index]);
    const std::size_t count = std::min(rest.size(), target.size());
    std::memcpy(target.data(), rest.data(), count);
    target = target.subspan(count);
    byte += count;
  }
}

}  // namespace quantd::core
