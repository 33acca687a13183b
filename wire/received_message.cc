#include "wire/received_message.h"

#include <span>
#include <string>

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

core::ScatteredBytes ElementsOf(const v1::Tensor& tensor) {
  core::ScatteredBytes elements;
  if (tensor.storage_case() == v1::Tensor::kFloatValues) {
    const auto& values = tensor.float_values().values();
    elements.Add(std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size()))));
  } else {
    elements.Add(std::as_bytes(std::span(tensor.data())));
  }
  return elements;
}

}  // namespace quantd::wire
