// The memory of gRPC's buffers, without copies.

#ifndef QUANTD_WIRE_SLICES_H_
#define QUANTD_WIRE_SLICES_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "core/base/scattered_bytes.h"

namespace quantd::wire {

// Returns the slices of `buffer`, which must be valid, or nothing if they are
// compressed and cannot be read.
std::optional<std::vector<grpc::Slice>> SlicesOf(const grpc::ByteBuffer& buffer);

std::vector<core::ScatteredBytes::Piece> PiecesOf(const std::vector<grpc::Slice>& slices);

// Returns about how many bytes it takes to hold and read `count` slices of a message of
// `size` bytes, beyond those of a message in ordinary slices: clients decide how small they are.
std::size_t BytesOfSlices(std::size_t count, std::size_t size);

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_SLICES_H_
