// Writes files either completely or not at all.

#ifndef QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
#define QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>

#include "absl/status/status.h"

namespace quantd::client {

// Writes `parts`, one after another, to a new file in the folder of `path`, and then
// renames it to `path`. After an error, a file that was at `path` is unchanged, and
// nothing is left behind. Follows symbolic links. If `path` is a special file, such as
// a pipe or /dev/null, writes to it directly.
//
// Errors: the code that corresponds to errno; the message does not name the path.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::initializer_list<std::span<const std::byte>> parts);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
