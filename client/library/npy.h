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
#include "core/base/tensor_view.h"

namespace quantd::client {

struct NpyArray {
  // The outermost dimension comes first; empty for a scalar.
  std::vector<std::int64_t> shape;
  // The values in C order. Their number is the product of the shape.
  std::vector<float> values;

  // Valid as long as the vectors exist unchanged.
  core::TensorView view() const { return {shape, values}; }
};

// Reads the float32 array in `path`. The size of the file must match its header; this
// is checked before memory is allocated for the elements.
//
// Errors name the file: kNotFound, kPermissionDenied and the like if it can't be
// opened; kInvalidArgument if it is not a regular file, or does not hold such an
// array (see ParseNpyHeader()), or has fewer or more elements than its header
// says; kDataLoss if reading fails; kResourceExhausted if memory does not
// suffice.
absl::StatusOr<NpyArray> ReadNpy(const std::filesystem::path& path);

// Writes `values`, as many as the product of `shape`, to `path`: either the
// whole array or, after an error, nothing. Replaces an existing file at once, so
// that no reader sees half of it. Writes to a device or a pipe directly.
//
// Errors name the file: kInvalidArgument if the sizes don't match; otherwise the
// code that fits errno, such as kPermissionDenied.
absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      std::span<const float> values);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_NPY_H_
