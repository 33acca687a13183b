#include "client/library/npy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
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

std::uintmax_t ExpectedSize(const NpyHeader& header) {
  return header.data_offset + header.element_count * core::ElementBytes(header.type, 1);
}

// Checks the size of a file, of which at least `file_size` bytes are known.
absl::Status CheckFileSize(const NpyHeader& header, std::uintmax_t file_size,
                           bool has_more = false) {
  const std::size_t element_bytes = core::ElementBytes(header.type, 1);
  const std::uintmax_t expected = ExpectedSize(header);
  if (file_size == expected) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "the file has ", has_more ? "at least " : "", file_size, " bytes; expected ", expected,
      " according to its header (", header.data_offset, " of header and ", header.element_count,
      " elements of ", element_bytes, " bytes): it ",
      file_size < expected ? "is truncated" : "has trailing data", ", so save or copy it again"));
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

void ReverseBytes(std::span<std::byte> elements, std::size_t element_bytes) {
  for (; !elements.empty(); elements = elements.subspan(element_bytes)) {
    std::ranges::reverse(elements.first(element_bytes));
  }
}

// Brings elements whose first index varies fastest into C order.
std::vector<std::byte> InCOrder(std::span<const std::byte> elements, std::size_t element_bytes,
                                std::span<const std::int64_t> shape) {
  // How far apart neighbours along each dimension lie.
  std::vector<std::size_t> strides(shape.size(), element_bytes);
  for (std::size_t i = 1; i < shape.size(); ++i) {
    strides[i] = strides[i - 1] * static_cast<std::size_t>(shape[i - 1]);
  }
  std::vector<std::byte> ordered(elements.size());
  std::vector<std::int64_t> index(shape.size());
  std::size_t from = 0;
  for (std::size_t to = 0; to < ordered.size(); to += element_bytes) {
    std::ranges::copy(elements.subspan(from, element_bytes),
                      ordered.begin() + static_cast<std::ptrdiff_t>(to));
    for (std::size_t i = shape.size(); i > 0; --i) {
      from += strides[i - 1];
      if (++index[i - 1] < shape[i - 1]) {
        break;
      }
      from -= strides[i - 1] * static_cast<std::size_t>(shape[i - 1]);
      index[i - 1] = 0;
    }
  }
  return ordered;
}

// Brings the elements of a file into the order that arrays have here.
void Reorder(const NpyHeader& header, Elements& elements) {
  const std::size_t element_bytes = core::ElementBytes(header.type, 1);
  const std::span<std::byte> bytes = elements.output().bytes();
  if (header.is_big_endian) {
    ReverseBytes(bytes, element_bytes);
  }
  if (header.is_fortran_order) {
    std::ranges::copy(InCOrder(bytes, element_bytes, header.shape), bytes.begin());
  }
}

absl::StatusOr<NpyArray> ReadFrom(ByteSource& source) {
  std::string start(
      static_cast<std::size_t>(std::min<std::uintmax_t>(source.size(), kMaxNpyHeaderBytes)), '\0');
  RETURN_IF_ERROR(source.Read(std::as_writable_bytes(std::span(start))));
  ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(start));
  RETURN_IF_ERROR(CheckFileSize(header, source.size()));
  NpyArray array{.shape = header.shape, .elements = Elements(header.type, header.element_count)};
  const std::span<std::byte> elements = array.elements.output().bytes();
  const std::span<const std::byte> read =
      std::as_bytes(std::span(start)).subspan(header.data_offset);
  std::ranges::copy(read, elements.begin());
  RETURN_IF_ERROR(source.Read(elements.subspan(read.size())));
  Reorder(header, array.elements);
  return array;
}

// Appends the next bytes of a pipe until there are `size`, or until it ends. Memory grows
// with what has arrived, since a header may claim anything.
absl::Status ReadUpTo(std::uintmax_t size, const core::FileDescriptor& pipe,
                      std::vector<std::byte>* bytes) {
  constexpr std::uintmax_t kStep = std::uintmax_t{1} << 20U;
  while (bytes->size() < size) {
    const std::size_t known = bytes->size();
    bytes->resize(static_cast<std::size_t>(std::min(size, known + kStep)));
    ASSIGN_OR_RETURN(const std::size_t count, pipe.ReadSome(std::span(*bytes).subspan(known)));
    bytes->resize(known + count);
    if (count == 0) {
      break;
    }
  }
  return absl::OkStatus();
}

// Reads an array from a pipe or a device, whose size is not known beforehand.
absl::StatusOr<NpyArray> ReadFromPipe(const core::FileDescriptor& pipe) {
  std::vector<std::byte> bytes;
  RETURN_IF_ERROR(ReadUpTo(kMaxNpyHeaderBytes, pipe, &bytes));
  const void* const start = bytes.data();
  ASSIGN_OR_RETURN(const NpyHeader header,
                   ParseNpyHeader({static_cast<const char*>(start), bytes.size()}));
  const std::uintmax_t expected = ExpectedSize(header);
  // One more shows whether the pipe ends there.
  RETURN_IF_ERROR(ReadUpTo(expected + 1, pipe, &bytes));
  RETURN_IF_ERROR(CheckFileSize(header, bytes.size(), bytes.size() > expected));
  NpyArray array{.shape = header.shape, .elements = Elements(header.type, header.element_count)};
  std::ranges::copy(std::span(bytes).subspan(header.data_offset),
                    array.elements.output().bytes().begin());
  Reorder(header, array.elements);
  return array;
}

absl::StatusOr<NpyArray> ReadFromStandardInput() {
  const core::FileDescriptor input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
  return input.number() < 0 ? absl::ErrnoToStatus(errno, "cannot read the standard input")
                            : ReadFromPipe(input);
}

absl::StatusOr<NpyArray> ReadFromFile(const std::filesystem::path& path) {
  std::error_code error;
  switch (std::filesystem::status(path, error).type()) {
    case std::filesystem::file_type::directory:
      return absl::InvalidArgumentError("this is a folder; expected an .npy file");
    case std::filesystem::file_type::fifo:
    case std::filesystem::file_type::character: {
      ASSIGN_OR_RETURN(const core::FileDescriptor pipe, core::FileDescriptor::OpenPipeToRead(path));
      return ReadFromPipe(pipe);
    }
    default:
      ASSIGN_OR_RETURN(const std::unique_ptr<FileSource> source, FileSource::Open(path));
      return ReadFrom(*source);
  }
}

absl::StatusOr<NpyArray> ReadArray(const std::filesystem::path& path) {
  if (path == "-" || path == "/dev/stdin") {
    return ReadFromStandardInput();
  }
  const std::optional<NpzPath> in_archive = ParseNpzPath(path);
  if (!in_archive.has_value()) {
    return ReadFromFile(path);
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

// Writes elements as `storage` says. `write` takes the bytes of the header and those of the
// elements.
template <typename Write>
absl::Status WriteElements(std::span<const std::int64_t> shape, const Elements& elements,
                           const NpyStorage& storage, const Write& write) {
  RETURN_IF_ERROR(CheckShape(shape, elements.size()));
  const core::ElementType stored = StoredType(elements.type(), storage);
  const bool is_packed = IsPacked(elements.type());
  const Elements unpacked =
      is_packed && !storage.packed ? FromCodes(ToCodes(elements), stored) : Elements();
  const std::array packed_shape = {static_cast<std::int64_t>(elements.bytes().size())};
  const std::string header =
      FormatNpyHeader(stored, is_packed && storage.packed ? packed_shape : shape);
  return write(std::as_bytes(std::span(header)),
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
  return WithPath(
      path, WriteElements(shape, elements, storage,
                          [&](std::span<const std::byte> header, std::span<const std::byte> bytes) {
                            return WriteBytes(path, header, bytes);
                          }));
}

absl::Status WriteNpy(std::ostream& stream, std::span<const std::int64_t> shape,
                      const Elements& elements, const NpyStorage& storage) {
  return WriteElements(
      shape, elements, storage,
      [&](std::span<const std::byte> header, std::span<const std::byte> bytes) -> absl::Status {
        for (const std::span<const std::byte> part : {header, bytes}) {
          const void* const first = part.data();
          stream.write(static_cast<const char*>(first), static_cast<std::streamsize>(part.size()));
        }
        return stream ? absl::OkStatus() : absl::DataLossError("cannot write the array");
      });
}

absl::Status WriteNpy(const std::filesystem::path& path, std::span<const std::int64_t> shape,
                      std::span<const float> values) {
  return WriteNpy(path, shape, Elements::Of(values));
}

}  // namespace quantd::client
