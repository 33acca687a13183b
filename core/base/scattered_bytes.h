// Bytes as a transport hands them over: in pieces.

#ifndef QUANTD_CORE_BASE_SCATTERED_BYTES_H_
#define QUANTD_CORE_BASE_SCATTERED_BYTES_H_

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>

#include "absl/container/inlined_vector.h"
#include "core/base/element_pointer.h"

namespace quantd::core {

// Bytes that lie in any number of pieces of memory, read as one sequence, or as
// elements of a type T in the machine's byte order: an element may begin at any
// address, and may lie across two or more pieces. Does not own the memory. Safe
// for concurrent reads.
class ScatteredBytes {
 public:
  using Piece = std::span<const std::byte>;

  ScatteredBytes() = default;
  explicit ScatteredBytes(Piece piece);

  // Appends a piece; ignores an empty one.
  void Add(Piece piece);

  // Removes all pieces.
  void Clear();

  std::span<const Piece> pieces() const { return pieces_; }

  // The size of all pieces in bytes.
  std::size_t size() const { return size_; }

  // Whether all bytes lie one behind another. True if there are none.
  bool in_one_piece() const { return pieces_.size() <= 1; }

  // The first byte. All others follow it if in_one_piece().
  const std::byte* front() const { return pieces_.empty() ? nullptr : pieces_.front().data(); }

  // Contiguous elements.
  template <typename T>
  struct Run {
    ElementPointer<T> elements;
    std::size_t count;
  };

  // Returns the longest run that begins with element `first` and has either
  // `count` elements or fewer, in a multiple of `unit`. If not even `unit`
  // elements lie together, copies these to `scratch`, which has room for `unit`,
  // and returns that copy. Elements `first` to first + count - 1 exist; `count`
  // and `unit` are at least 1.
  template <typename T>
  Run<T> RunFrom(std::size_t first, std::size_t count, std::size_t unit, T* scratch) const {
    assert(count > 0 && unit > 0 && (first + count) * sizeof(T) <= size_);
    const Piece rest = RestOfPiece(first * sizeof(T));
    const std::size_t together = std::min(count, rest.size() / sizeof(T));
    const std::size_t whole = together == count ? count : together - together % unit;
    if (whole > 0) {
      return {ElementPointer<T>(rest.data()), whole};
    }
    const std::size_t copied = std::min(count, unit);
    CopyTo(first, std::span<T>(scratch, copied));
    return {ElementPointer<T>(scratch), copied};
  }

  // Copies elements `first` to first + output.size() - 1, which exist.
  template <typename T>
  void CopyTo(std::size_t first, std::span<T> output) const {
    CopyBytes(first * sizeof(T), std::as_writable_bytes(output));
  }

 private:
  // Returns the index of the piece that has the byte at `offset`, which exists.
  std::size_t PieceOf(std::size_t offset) const;
  // Returns that piece from the byte on.
  Piece RestOfPiece(std::size_t offset) const;
  void CopyBytes(std::size_t offset, std::span<std::byte> output) const;

  // The pieces of a small tensor, mostly a single one, need no allocation.
  absl::InlinedVector<Piece, 1> pieces_;
  // The offset of each piece from the first byte.
  absl::InlinedVector<std::size_t, 1> starts_;
  std::size_t size_ = 0;
};

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_SCATTERED_BYTES_H_
