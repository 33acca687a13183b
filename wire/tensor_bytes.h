// The elements of a received tensor, where the transport left them.

#ifndef QUANTD_WIRE_TENSOR_BYTES_H_
#define QUANTD_WIRE_TENSOR_BYTES_H_

#include <cstddef>
#include <span>
#include <vector>

namespace quantd::wire {

// Bytes in pieces, each at any address and none empty. Does not own them.
class TensorBytes {
 public:
  using Piece = std::span<const std::byte>;

  std::span<const Piece> pieces() const { return pieces_; }
  std::size_t size() const { return size_; }

  // Adds a piece behind the others; an empty one is none.
  void Add(Piece piece) {
    if (!piece.empty()) {
      pieces_.push_back(piece);
      size_ += piece.size();
    }
  }

 private:
  std::vector<Piece> pieces_;
  std::size_t size_ = 0;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_TENSOR_BYTES_H_
