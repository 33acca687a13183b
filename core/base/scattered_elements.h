// A tensor's elements as a transport hands them over: in pieces.

#ifndef QUANTD_CORE_BASE_SCATTERED_ELEMENTS_H_
#define QUANTD_CORE_BASE_SCATTERED_ELEMENTS_H_

#include <cstddef>
#include <span>

#include "absl/container/inlined_vector.h"
#include "core/base/element_pointer.h"

namespace quantd::core {

// float32 elements, in the machine's byte order, that lie in one or several
// pieces of memory; a piece may begin and end within an element. Does not own
// them. Immutable, and safe to use from several threads at once.
class ScatteredElements {
 public:
  using Piece = std::span<const std::byte>;

  // In one piece.
  explicit ScatteredElements(std::span<const float> elements);

  // From pieces, none of them empty. Bytes that are no whole element at the end
  // are left out.
  explicit ScatteredElements(std::span<const Piece> pieces);

  std::size_t size() const { return size_; }

  // Whether all elements lie one behind another, from front() on.
  bool in_one_piece() const { return pieces_.size() == 1; }
  ElementPointer front() const { return ElementPointer(pieces_.front().data()); }

  // Elements that lie one behind another.
  struct Run {
    ElementPointer elements;
    std::size_t count;
  };

  // The longest run that begins with element `first`, has at most `count`
  // elements, and is all of these or a multiple of `unit`. Where not even
  // `unit` elements lie together, these are copied to `scratch`, and that is
  // the run. first + count <= size(); count and unit at least 1; room for
  // `unit` in `scratch`.
  Run RunFrom(std::size_t first, std::size_t count, std::size_t unit, float* scratch) const;

  // Copies elements `first` to first + output.size() - 1, which exist.
  void CopyTo(std::size_t first, std::span<float> output) const;

 private:
  std::size_t PieceOf(std::size_t byte) const;

  // Without an allocation for a small tensor, which comes in one piece.
  absl::InlinedVector<Piece, 1> pieces_;
  // Where each piece begins, in bytes from the first.
  absl::InlinedVector<std::size_t, 1> starts_;
  std::size_t size_;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_SCATTERED_ELEMENTS_H_
