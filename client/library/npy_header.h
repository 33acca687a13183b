// The header of .npy files (NEP 1): a magic string, a version, a length and a
// Python dictionary with the type, the order and the shape.

#ifndef QUANTD_CLIENT_LIBRARY_NPY_HEADER_H_
#define QUANTD_CLIENT_LIBRARY_NPY_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/element_type.h"

namespace quantd::client {

// The size of the longest header that is accepted, including the magic string. numpy
// writes 128 bytes for arrays with fewer than about twenty dimensions.
inline constexpr std::size_t kMaxNpyHeaderBytes = std::size_t{64} * 1024;

struct NpyHeader {
  // What the file says: bfloat16 may be stored as uint16, and codes of less than a
  // byte as int8 or uint8.
  core::ElementType type = core::ElementType::kFloat32;
  // Whether the bytes of an element are in the reverse order.
  bool is_big_endian = false;
  // Whether the first index varies fastest, in an array in which this makes a difference.
  bool is_fortran_order = false;

  // Each dimension is at least 0, and an array of this shape fits into the address
  // space; empty for a scalar.
  std::vector<std::int64_t> shape;
  // The offset of the elements, in bytes from the start of the file.
  std::size_t data_offset = 0;

  // The product of the shape.
  std::size_t element_count = 0;
};

// Parses the header of an array of float32, float16, float64, int8, uint8, int16, uint16
// or int32, of any byte order, or of bfloat16 as ml_dtypes has numpy write it, in C or
// Fortran order, in version 1.0, 2.0 or 3.0 of the format. `bytes` is the start of a file: all of
// it, or at least kMaxNpyHeaderBytes. Reads nothing behind the header and allocates no more than
// its size.
//
// Errors: kInvalidArgument; the message says what was found, what was expected
// and how to fix it.
absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view bytes);

// Returns the header that numpy writes for an array of this type, one of the above,
// and shape, byte for byte: version 1.0 (2.0 if it is too long for that), padded to a
// multiple of 64 bytes.
std::string FormatNpyHeader(core::ElementType type, std::span<const std::int64_t> shape);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_NPY_HEADER_H_
