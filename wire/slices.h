// The memory of gRPC's buffers, without copies.

#ifndef QUANTD_WIRE_SLICES_H_
#define QUANTD_WIRE_SLICES_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <optional>
#include <vector>

#include "core/base/scattered_bytes.h"

namespace quantd::wire {

// Returns the slices of `buffer`, which must be valid, or nothing if they are
// compressed and cannot be read.
std::optional<std::vector<grpc::Slice>> SlicesOf(const grpc::ByteBuffer& buffer);

std::vector<core::ScatteredBytes::Piece> PiecesOf(const std::vector<grpc::Slice>& slices);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SLICES_H_
