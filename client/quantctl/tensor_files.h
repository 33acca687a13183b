// Tensors in files, for the commands.

#ifndef QUANTD_CLIENT_QUANTCTL_TENSOR_FILES_H_
#define QUANTD_CLIENT_QUANTCTL_TENSOR_FILES_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/library/elements.h"
#include "client/library/npy.h"
#include "client/quantctl/terminal.h"

namespace quantd::client {

// Adds --type for files of floats, which says that uint16 stands for bfloat16.
// `is_bfloat16` must outlive `app`.
void AddFloatTypeOption(CLI::App& app, bool* is_bfloat16);

// Reads a tensor of floats; of uint16 if these stand for bfloat16.
//
// Errors: those of ReadNpy() and Interpret(); kInvalidArgument for other elements.
absl::StatusOr<NpyArray> ReadFloatTensor(const std::string& path, bool is_bfloat16);

// Whether a path stands for the standard output: "-" or /dev/stdout.
bool IsStandardOutput(const std::string& path);

// Throws CLI::ValidationError if several of the paths stand for the standard output.
void CheckOutputs(std::initializer_list<std::string> paths);

// Returns where to print what people read: the output, or the error stream if one of the
// files goes to the output.
std::ostream& ReportStream(std::initializer_list<std::string> paths, const Terminal& terminal);

// Writes an array to a file or to the standard output.
//
// Errors: those of WriteNpy().
absl::Status WriteTensor(const std::string& path, std::span<const std::int64_t> shape,
                         const Elements& elements, const Terminal& terminal,
                         const NpyStorage& storage = {});

// The description of a tensor: "float32 [5,5,8,32]".
std::string DescribeTensor(const NpyArray& tensor);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_QUANTCTL_TENSOR_FILES_H_
