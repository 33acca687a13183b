// Arrays in .npz files, the format of numpy's np.savez(): zip archives of .npy files.

#ifndef QUANTD_CLIENT_LIBRARY_NPZ_H_
#define QUANTD_CLIENT_LIBRARY_NPZ_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantd::client {

// A path as users give it: "x.npz:name" is the array of that name in an archive, and
// "x.npz" the only one.
struct NpzPath {
  std::filesystem::path archive;
  // Empty for the only array.
  std::string name;
};

// Returns nothing for a path of another file.
std::optional<NpzPath> ParseNpzPath(const std::filesystem::path& path);

// The bytes of a file, read from the start to the end.
class ByteSource {
 public:
  ByteSource() = default;
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  virtual std::uintmax_t size() const = 0;

  // Fills `buffer` with the next bytes. Errors: kDataLoss if there are fewer.
  virtual absl::Status Read(std::span<std::byte> buffer) = 0;
};

// Has `read` read the .npy file of an array in an archive. Its size is at most what the
// archive's bytes can be decompressed to.
//
// Errors: those of `read`; kNotFound, kPermissionDenied and the like if the archive
// can't be opened, or has no such array; kInvalidArgument if it is not an archive, or
// the only array is asked for and there are several; kDataLoss if it is damaged. They
// do not name the path.
absl::Status ReadFromNpz(const NpzPath& path, const std::function<absl::Status(ByteSource&)>& read);

// Adds an .npy file, which consists of `header` and `elements`, to an archive, or
// replaces the one of that name; makes the archive if there is none. After an error,
// the archive is unchanged. Without a name, it is "arr_0", as numpy's.
//
// Errors: as above.
absl::Status WriteToNpz(const NpzPath& path, std::span<const std::byte> header,
                        std::span<const std::byte> elements);

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_NPZ_H_
