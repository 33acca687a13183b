// Files that are there whole or not at all.

#ifndef QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
#define QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>

#include "absl/status/status.h"

namespace quantd::client {

// Writes `parts`, one after another, to `path`: into a new file beside it that
// then takes its name. After an error, what was at `path` is there unchanged
// and nothing is left behind. Follows a symbolic link. What is there but no
// regular file, such as a pipe or /dev/null, is written to directly.
//
// Errors: the code that fits errno; the message does not name the path.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::initializer_list<std::span<const std::byte>> parts);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
