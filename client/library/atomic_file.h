// Writes files either completely or not at all.

#ifndef QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
#define QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::client {

// Writes `parts`, one after another, to a new file in the folder of `path`, and then
// renames it to `path`. After an error, a file that was at `path` is unchanged, and
// nothing is left behind. A file that was there keeps its permissions; a new one has
// those that the umask allows. Follows symbolic links, also to a file that does not exist
// yet. If `path` is a special file, such as a pipe or /dev/null, or stands for an open
// descriptor, such as /dev/stdout or /dev/fd/3, writes to it directly.
//
// Errors: the code that corresponds to errno; the message does not name the path.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 std::initializer_list<std::span<const std::byte>> parts);

// Returns the path to which a chain of symbolic links leads, whether or not there is a
// file; `path` itself if it is not a link. Does not follow what stands for an open descriptor.
//
// Errors: as above.
absl::StatusOr<std::filesystem::path> FollowLinks(std::filesystem::path path);

// Finds out whether WriteFileAtomically() can write to `path`, without changing anything
// that lasts.
//
// Errors: as above; kInvalidArgument if `path` is a folder.
absl::Status CheckCanBeWritten(const std::filesystem::path& path);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ATOMIC_FILE_H_
