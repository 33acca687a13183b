#include "client/library/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/library/atomic_file.h"
#include "client/library/npy_header.h"
#include "client/library/npz.h"
#include "core/base/file_descriptor.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are read and written as they are in memory");
static_assert(std::numeric_limits<float>::is_iec559);

absl::Status WithPath(const std::filesystem::path& path, const absl::Status& status) {
  if (status.ok()) {
    return status;
  }
  return {status.code(), absl::StrCat(path.string(), ": ", status.message())};
}

absl::string_view NameOf(core::ElementType type) { return core::ToAbsl(core::RowOf(type).name); }

absl::Status CheckFileSize(const NpyHeader& header, std::uintmax_t file_size) {
  const std::size_t element_bytes = core::ElementBytes(header.type, 1);
  const std::uintmax_t expected = header.data_offset + header.element_count * element_bytes;
  if (file_size == expected) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the file has ", file_size, " bytes; expected ", expected, " according to its header (",
      header.data_offset, " of header and ", header.element_count, " elements of ", element_bytes,
      " bytes): it ", file_size < expected ? "is truncated" : "has trailing data",
      ", so save or copy it again"));
}

// A file that is not in an archive.
class FileSource final : public ByteSource {
 public:
  static absl::StatusOr<std::unique_ptr<FileSource>> Open(const std::filesystem::path& path) {
    ASSIGN_OR_RETURN(core::FileDescriptor file, core::FileDescriptor::OpenToRead(path));
    ASSIGN_OR_RETURN(const std::uintmax_t size, file.RegularFileSize());
    return std::make_unique<FileSource>(std::move(file), size);
  }

  FileSource(core::FileDescriptor file, std::uintmax_t size)
      : file_(std::move(file)), size_(size) {}

  std::uintmax_t size() const override { return size_; }

  absl::Status Read(std::span<std::byte> buffer) override {
    RETURN_IF_ERROR(file_.ReadAt(offset_, buffer));
    offset_ += buffer.size();
    return absl::OkStatus();
  }

 private:
  core::FileDescriptor file_;
  std::uintmax_t size_;
  std::uintmax_t offset_ = 0;
};

absl::StatusOr<NpyArray> ReadFrom(ByteSource& source) {
  std::string start(
      static_cast<std::size_t>(std::min<std::uintmax_t>(source.size(), kMaxNpyHeaderBytes)), '\0');
  RETURN_IF_ERROR(source.Read(std::as_writable_bytes(std::span(start))));
  ASSIGN_OR_RETURN(NpyHeader header, ParseNpyHeader(start));
  RETURN_IF_ERROR(CheckFileSize(header, source.size()));
  NpyArray array{.shape = std::move(header.shape),
                 .elements = Elements(header.type, header.element_count)};
  const std::span<std::byte> elements = array.elements.output().bytes();
  const std::span<const std::byte> read =
      std::as_bytes(std::span(start)).subspan(header.data_offset);
  std::ranges::copy(read, elements.begin());
  RETURN_IF_ERROR(source.Read(elements.subspan(read.size())));
  return array;
}

absl::StatusOr<NpyArray> ReadArray(const std::filesystem::path& path) {
  const std::optional<NpzPath> in_archive = ParseNpzPath(path);
  if (!in_archive.has_value()) {
    ASSIGN_OR_RETURN(const std::unique_ptr<FileSource> source, FileSource::Open(path));
    return ReadFrom(*source);
  }
  NpyArray array;
  RETURN_IF_ERROR(ReadFromNpz(*in_archive, [&](ByteSource& source) -> absl::Status {
    ASSIGN_OR_RETURN(array, ReadFrom(source));
    return absl::OkStatus();
  }));
  return array;
}

absl::Status WriteBytes(const std::filesystem::path& path, std::span<const std::byte> header,
                        std::span<const std::byte> elements) {
  const std::optional<NpzPath> in_archive = ParseNpzPath(path);
  return in_archive.has_value() ? WriteToNpz(*in_archive, header, elements)
                                : WriteFileAtomically(path, {header, elements});
}

// The type in which a file stores elements of a type that numpy does not have.
core::ElementType StoredType(core::ElementType type, const NpyStorage& storage) {
  if (IsPacked(type)) {
    return storage.packed || core::RowOf(type).lowest == 0 ? core::ElementType::kUint8
                                                           : core::ElementType::kInt8;
  }
  return type == core::ElementType::kBFloat16 && storage.bfloat16_as_uint16
             ? core::ElementType::kUint16
             : type;
}

absl::Status OtherType(core::ElementType found, const NpyMeaning& meaning) {
  const core::ElementType stored = StoredType(meaning.type, {.packed = meaning.packed});
  return absl::InvalidArgumentError(absl::StrCat(
      "the array has elements of type ", NameOf(found), "; expected ", NameOf(stored),
      stored == meaning.type ? "" : absl::StrCat(", which holds ", NameOf(meaning.type)),
      ": name the type that it has, or save it as x.astype(np.", NameOf(stored), ")"));
}

// Interprets the bytes of an array as elements of another type of the same size.
Elements Recast(const Elements& elements, core::ElementType type) {
  Elements recast(type, elements.size());
  std::ranges::copy(elements.bytes(), recast.output().bytes().begin());
  return recast;
}

// Packs codes that an array has one per element.
absl::StatusOr<Elements> Pack(const Elements& elements, core::ElementType type) {
  const std::vector<std::int32_t> codes = ToCodes(elements);
  const core::ElementTypeRow& row = core::RowOf(type);
  const auto bad = std::ranges::find_if(
      codes, [&](std::int32_t code) { return code < row.lowest || code > row.highest; });
  if (bad != codes.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "element ", bad - codes.begin(), " (in C order) is ", *bad, "; expected ", row.lowest,
        " to ", row.highest, ", the codes of ", NameOf(type), ": name another type"));
  }
  return FromCodes(codes, type);
}

// Takes the bytes of an array for packed codes.
absl::StatusOr<NpyArray> Unwrap(const Elements& bytes, const NpyMeaning& meaning) {
  const std::size_t capacity = core::ElementsIn(meaning.type, bytes.size());
  NpyArray array{.shape = meaning.shape.value_or(std::vector{static_cast<std::int64_t>(capacity)}),
                 .elements = {}};
  ASSIGN_OR_RETURN(const std::size_t count, core::ElementCount(array.shape));
  if (core::ElementBytes(meaning.type, count) != bytes.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the array has ", bytes.size(), " bytes; expected ",
        core::ElementBytes(meaning.type, count), " for the ", count, " packed codes of type ",
        NameOf(meaning.type), " that the shape has: correct the shape"));
  }
  array.elements = Elements(meaning.type, count);
  std::ranges::copy(bytes.bytes(), array.elements.output().bytes().begin());
  return array;
}

absl::StatusOr<NpyArray> InterpretArray(NpyArray array, const NpyMeaning& meaning) {
  const core::ElementType found = array.elements.type();
  if (found == meaning.type) {
    return array;
  }
  if (IsPacked(meaning.type)) {
    if (found == core::ElementType::kUint8 && meaning.packed) {
      return Unwrap(array.elements, meaning);
    }
    if (found == core::ElementType::kInt8 || found == core::ElementType::kUint8) {
      ASSIGN_OR_RETURN(array.elements, Pack(array.elements, meaning.type));
      return array;
    }
  }
  if (found == core::ElementType::kUint16 && meaning.type == core::ElementType::kBFloat16) {
    array.elements = Recast(array.elements, meaning.type);
    return array;
  }
  return OtherType(found, meaning);
}

absl::Status CheckShape(std::span<const std::int64_t> shape, std::size_t size) {
  ASSIGN_OR_RETURN(const std::size_t expected, core::ElementCount(shape));
  return size == expected
             ? absl::OkStatus()
             : absl::InvalidArgumentError(absl::StrCat("the array has ", size, " values; expected ",
                                                       expected, ", the product of its shape"));
}

// Writes elements as `storage` says.
absl::Status WriteElements(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                           const Elements& elements, const NpyStorage& storage) {
  const core::ElementType stored = StoredType(elements.type(), storage);
  const bool is_packed = IsPacked(elements.type());
  const Elements unpacked =
      is_packed && !storage.packed ? FromCodes(ToCodes(elements), stored) : Elements();
  const std::array packed_shape = {static_cast<std::int64_t>(elements.bytes().size())};
  const std::string header =
      FormatNpyHeader(stored, is_packed && storage.packed ? packed_shape : shape);
  return WriteBytes(path, std::as_bytes(std::span(header)),
                    is_packed && !storage.packed ? unpacked.bytes() : elements.bytes());
}

// Calls a function that allocates, and whose errors do not name the path.
template <typename Function>
auto InMemory(const std::filesystem::path& path, const Function& function) -> decltype(function()) {
  constexpr absl::string_view kTooLarge = "the array does not fit into memory";
  try {
    auto result = function();
    if (result.ok()) {
      return result;
    }
    return WithPath(path, result.status());
  } catch (const std::bad_alloc&) {
    return WithPath(path, absl::ResourceExhaustedError(kTooLarge));
  } catch (const std::length_error&) {
    return WithPath(path, absl::ResourceExhaustedError(kTooLarge));
  }
}

}  // namespace

NpyArray FloatArray(std::vector<std::int64_t> shape, std::span<const float> values) {
  return {.shape = std::move(shape), .elements = Elements::Of(values)};
}

absl::StatusOr<NpyArray> ReadNpy(const std::filesystem::path& path) {
  return InMemory(path, [&] { return ReadArray(path); });
}

absl::StatusOr<NpyArray> Interpret(NpyArray array, const NpyMeaning& meaning,
                                   const std::filesystem::path& path) {
  return InMemory(path, [&] { return InterpretArray(std::move(array), meaning); });
}

absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      const Elements& elements, const NpyStorage& storage) {
  const absl::Status status = CheckShape(shape, elements.size());
  return WithPath(path, status.ok() ? WriteElements(path, shape, elements, storage) : status);
}

absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      std::span<const float> values) {
  return WriteNpy(path, shape, Elements::Of(values));
}

}  // namespace quantd::client
