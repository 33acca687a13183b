#include "core/base/read_file.h"

#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"

namespace quantd::core {

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path, std::size_t max_bytes) {
  ASSIGN_OR_RETURN(const FileDescriptor file, FileDescriptor::OpenToRead(path));
  return file.ReadAll(max_bytes);
}

}  // namespace quantd::core
