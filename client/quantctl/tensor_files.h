// Tensors in files, for the commands.

#ifndef QUANTD_CLIENT_QUANTCTL_TENSOR_FILES_H_
#define QUANTD_CLIENT_QUANTCTL_TENSOR_FILES_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/library/npy.h"

namespace quantd::client {

// Adds --type for files of floats, which says that uint16 stands for bfloat16.
// `is_bfloat16` must outlive `app`.
void AddFloatTypeOption(CLI::App& app, bool* is_bfloat16);

// Reads a tensor of floats; of uint16 if these stand for bfloat16.
//
// Errors: those of ReadNpy() and Interpret(); kInvalidArgument for other elements.
absl::StatusOr<NpyArray> ReadFloatTensor(const std::string& path, bool is_bfloat16);

// The description of a tensor: "float32 [5,5,8,32]".
std::string DescribeTensor(const NpyArray& tensor);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_TENSOR_FILES_H_
