// Files that exist as a whole or not at all.

#ifndef QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
#define QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>

#include "absl/status/status.h"

namespace quantd::client {

// Writes `parts`, one after another, to a new file beside `path`, and renames it
// to `path`. After an error, an existing file is unchanged and nothing is left
// behind. Follows a symbolic link. Writes directly to an existing file that is not
// a regular one, such as a pipe or /dev/null.
//
// Errors: the code that fits errno; the message does not name the path.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::initializer_list<std::span<const std::byte>> parts);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
