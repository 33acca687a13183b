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

std::size_t BytesOfSlices(std::size_t count, std::size_t size) {
  constexpr std::size_t kOrdinarySliceBytes = 4096;
  // 32 each in gRPC's buffer and in ours, and up to 64 for a piece and its place, whose lists
  // grow by doubling.
  constexpr std::size_t kBytesPerSlice = 128;
  const std::size_t ordinary = size / kOrdinarySliceBytes + 1;
  return count > ordinary ? (count - ordinary) * kBytesPerSlice : 0;
}

}  // namespace quantd::wire
