#include "core/base/scattered_bytes.h"

#include <cstring>

namespace quantd::core {

ScatteredBytes::ScatteredBytes(Piece piece) : pieces_{piece}, starts_{0}, size_(piece.size()) {
  if (piece.empty()) {
    pieces_.clear();
    starts_.clear();
  }
}

void ScatteredBytes::Add(Piece piece) {
  if (piece.empty()) {
    return;
  }
  pieces_.push_back(piece);
  starts_.push_back(size_);
  size_ += piece.size();
}

void ScatteredBytes::Clear() {
  pieces_.clear();
  starts_.clear();
  size_ = 0;
}

std::size_t ScatteredBytes::PieceOf(std::size_t offset) const {
  assert(offset < size_);
  const auto* const next = std::ranges::upper_bound(starts_, offset);
  return static_cast<std::size_t>(next - starts_.begin()) - 1;
}

ScatteredBytes::Piece ScatteredBytes::RestOfPiece(std::size_t offset) const {
  const std::size_t index = PieceOf(offset);
  return pieces_[index].subspan(offset - starts_[index]);
}

void ScatteredBytes::CopyBytes(std::size_t offset, std::span<std::byte> output) const {
  assert(output.size() <= size_ && offset <= size_ - output.size());
  for (std::size_t index = output.empty() ? 0 : PieceOf(offset); !output.empty(); ++index) {
    const Piece rest = pieces_[index].subspan(offset - starts_[index]);
    const std::size_t count = std::min(rest.size(), output.size());
    std::memcpy(output.data(), rest.data(), count);
    output = output.subspan(count);
    offset += count;
  }
}

}  // namespace quantd::core
