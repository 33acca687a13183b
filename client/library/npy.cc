#include "client/library/npy.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/library/atomic_file.h"
#include "client/library/npy_header.h"
#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are read and written as they are in memory");
static_assert(std::numeric_limits<float>::is_iec559);

absl::Status WithPath(const std::filesystem::path& path, const absl::Status& status) {
  return {status.code(), absl::StrCat(path.string(), ": ", status.message())};
}

absl::Status CheckFileSize(const NpyHeader& header, std::uintmax_t file_size) {
  const std::uintmax_t expected = header.data_offset + header.element_count * sizeof(float);
  if (file_size == expected) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the file has ", file_size, " bytes; expected ", expected, " according to its header (",
      header.data_offset, " of header and ", header.element_count, " elements of 4 bytes): it ",
      file_size < expected ? "is truncated" : "has trailing data", ", so save or copy it again"));
}

absl::StatusOr<NpyHeader> ReadHeader(const core::FileDescriptor& file, std::uintmax_t file_size) {
  std::string start(
      static_cast<std::size_t>(std::min<std::uintmax_t>(file_size, kMaxNpyHeaderBytes)), '\0');
  RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(start))));
  return ParseNpyHeader(start);
}

absl::StatusOr<NpyArray> ReadArray(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const core::FileDescriptor file, core::FileDescriptor::OpenToRead(path));
  ASSIGN_OR_RETURN(const std::uintmax_t file_size, file.RegularFileSize());
  ASSIGN_OR_RETURN(NpyHeader header, ReadHeader(file, file_size));
  RETURN_IF_ERROR(CheckFileSize(header, file_size));
  NpyArray array{.shape = std::move(header.shape),
                 .values = std::vector<float>(header.element_count)};
  RETURN_IF_ERROR(file.ReadAt(header.data_offset, std::as_writable_bytes(std::span(array.values))));
  return array;
}

}  // namespace

absl::StatusOr<NpyArray> ReadNpy(const std::filesystem::path& path) {
  try {
    absl::StatusOr<NpyArray> array = ReadArray(path);
    return array.ok() ? std::move(array) : WithPath(path, array.status());
  } catch (const std::bad_alloc&) {
    return WithPath(path, absl::ResourceExhaustedError("the array does not fit into memory"));
  } catch (const std::length_error&) {
    return WithPath(path, absl::ResourceExhaustedError("the array does not fit into memory"));
  }
}

absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      std::span<const float> values) {
  const absl::StatusOr<std::size_t> element_count = core::ElementCount(shape);
  if (!element_count.ok()) {
    return WithPath(path, element_count.status());
  }
  if (*element_count != values.size()) {
    return WithPath(path, absl::InvalidArgumentError(
                              absl::StrCat("the array has ", values.size(), " values; expected ",
                                           *element_count, ", the product of its shape")));
  }
  const std::string header = FormatNpyHeader(shape);
  const absl::Status status =
      WriteFileAtomically(path, {std::as_bytes(std::span(header)), std::as_bytes(values)});
  return status.ok() ? status : WithPath(path, status);
}

}  // namespace quantd::client
