// Reads and writes float32 arrays in .npy files, the format of numpy's np.save() and
// np.load().

#ifndef QUANTD_CLIENT_LIBRARY_NPY_H_
#define QUANTD_CLIENT_LIBRARY_NPY_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::client {

struct NpyArray {
  // The outermost dimension comes first; empty for a scalar.
  std::vector<std::int64_t> shape;
  // The values in C order. Their number is the product of the shape.
  std::vector<float> values;
};

// Reads the float32 array in `path`. The size of the file must match its header; this
// is checked before memory is allocated for the elements.
//
// Errors, which name the file: kNotFound, kPermissionDenied and the like if it cannot
// be opened; kInvalidArgument if it is not a regular file, does not contain a float32
// array (see ParseNpyHeader()), or has fewer or more elements than its header says;
// kDataLoss if reading fails; kResourceExhausted if there is not enough memory.
absl::StatusOr<NpyArray> ReadNpy(const std::filesystem::path& path);

// Writes `values` to `path`; their number must be the product of `shape`. Writes
// either the whole array or, after an error, nothing. An existing file is replaced
// atomically, so that no reader sees a part of the new one. Devices and pipes are
// written to directly.
//
// Errors, which name the file: kInvalidArgument if the sizes do not match; otherwise
// the system's error, such as kPermissionDenied.
absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      std::span<const float> values);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_NPY_H_
