#include "wire/slices.h"

#include <span>

namespace quantd::wire {

std::optional<std::vector<grpc::Slice>> SlicesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  // Dump() takes a buffer without slices, which is an empty message, for an
  // error.
  if (buffer.Length() > 0 && !buffer.Dump(&slices).ok()) {
    return std::nullopt;
  }
  return slices;
}

std::vector<core::ScatteredBytes::Piece> PiecesOf(const std::vector<grpc::Slice>& slices) {
  std::vector<core::ScatteredBytes::Piece> pieces;
  pieces.reserve(slices.size());
  for (const grpc::Slice& slice : slices) {
    pieces.push_back(std::as_bytes(std::span(slice.begin(), slice.size())));
  }
  return pieces;
}

}  // namespace quantd::wire
