// Reads small files whole.

#ifndef QUANTD_CORE_BASE_READ_FILE_H_
#define QUANTD_CORE_BASE_READ_FILE_H_

#include <cstddef>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace quantd::core {

// Returns what the file at `path` contains. It may be of any kind; waits for the writer of a pipe.
//
// Errors: those of FileDescriptor::OpenToRead() and ReadAll(), without the path.
absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_READ_FILE_H_
