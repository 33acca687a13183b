// Reads and writes arrays in .npy and .npz files, the formats of numpy's np.save(),
// np.savez() and np.load(). A path such as "x.npz:name" is an array in an archive.

#ifndef QUANTD_CLIENT_LIBRARY_NPY_H_
#define QUANTD_CLIENT_LIBRARY_NPY_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <ostream>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/elements.h"
#include "core/base/element_type.h"
#include "core/base/tensor_view.h"

namespace quantd::client {

struct NpyArray {
  // The outermost dimension comes first; empty for a scalar.
  std::vector<std::int64_t> shape;
  // In C order. Their number is the product of the shape.
  Elements elements;

  // Valid as long as the array exists unchanged.
  core::TensorView view() const { return elements.view(shape); }
};

// Makes an array of float32.
NpyArray FloatArray(std::vector<std::int64_t> shape, std::span<const float> values);

// How a file stores elements of types that numpy does not have. Other types are
// unaffected.
struct NpyStorage {
  // Writes bfloat16 as uint16. By default, as ml_dtypes has numpy write it, which
  // np.load() returns as np.void of two bytes.
  bool bfloat16_as_uint16 = false;
  // Stores codes of 4 and 2 bits packed, as an array of uint8 with one dimension. By
  // default, they are an array of int8 or uint8 with one code per element.
  bool packed = false;
};

// Reads the array in `path`; of "x.npz", the only one. "-" and /dev/stdin are the standard
// input. Pipes are read to their end. The size of the file must match its header; more
// memory than the file has bytes is not allocated for the elements.
//
// Errors name the file: kNotFound, kPermissionDenied and the like if it can't be
// opened; kInvalidArgument if it is a folder, or does not hold such an array (see
// ParseNpyHeader()), or has fewer or more elements than its header says; kDataLoss if
// reading fails; kResourceExhausted if memory does not suffice.
absl::StatusOr<NpyArray> ReadNpy(const std::filesystem::path& path);

// What a file does not say about its array.
struct NpyMeaning {
  // bfloat16 in an array of uint16; a type of 4 or 2 bits in one of int8 or uint8.
  // Any other type has to be that of the file.
  core::ElementType type = core::ElementType::kFloat32;
  // Whether such codes are packed; see NpyStorage.
  bool packed = false;
  // The shape of packed codes. If absent, they have one dimension, with as many as fit
  // into the bytes.
  std::optional<std::vector<std::int64_t>> shape = {};
};

// Returns `array`, which was read from `path`, with another meaning.
//
// Errors name the file: kInvalidArgument if it has no such elements, or other than the
// shape says.
absl::StatusOr<NpyArray> Interpret(NpyArray array, const NpyMeaning& meaning,
                                   const std::filesystem::path& path);

// Writes `elements`, as many as the product of `shape`, to `path`: either the
// whole array or, after an error, nothing. Replaces an existing file at once, so
// that no reader sees half of it, and keeps its permissions; in an archive, the other
// arrays stay. Follows symbolic links. Writes to a device, a pipe or an open descriptor
// (/dev/stdout, /dev/fd/3) directly.
//
// Errors name the file: kInvalidArgument if the sizes don't match; otherwise the
// code that fits errno, such as kPermissionDenied.
absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      const Elements& elements, const NpyStorage& storage = {});

// Writes the bytes of such a file to a stream.
//
// Errors: kInvalidArgument if the sizes don't match; kDataLoss if the stream takes no more.
absl::Status WriteNpy(std::ostream& stream, std::span<const std::int64_t> shape,
                      const Elements& elements, const NpyStorage& storage = {});

// Writes float32 to a file.
absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      std::span<const float> values);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_NPY_H_
