#include "client/library/npz.h"

#include <zip.h>

#include <algorithm>
#include <array>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/library/atomic_file.h"
#include "core/base/status_macros.h"

namespace quantd::client {
namespace {

constexpr absl::string_view kArchiveSuffix = ".npz";
constexpr absl::string_view kMemberSuffix = ".npy";
constexpr absl::string_view kDefaultName = "arr_0";

// What deflate makes of the most monotonous bytes, and some more for short ones.
constexpr std::uintmax_t kMaxRatio = 1032;
constexpr std::uintmax_t kMaxRatioOffset = 1024;

// The first day that zip archives can name: as numpy does, so that the same arrays make
// the same archive.
constexpr zip_uint16_t kFirstDay = 0x21;

absl::Status ToStatus(const zip_error_t& error) {
  // libzip takes errors that it may change, to remember their texts.
  zip_error_t copy = error;
  copy.str = nullptr;
  const std::string text = zip_error_strerror(&copy);
  zip_error_fini(&copy);
  if (zip_error_system_type(&error) == ZIP_ET_SYS) {
    return absl::ErrnoToStatus(zip_error_code_system(&error), text);
  }
  switch (zip_error_code_zip(&error)) {
    case ZIP_ER_NOENT:
      return absl::NotFoundError("there is no such file");
    case ZIP_ER_MEMORY:
      return absl::ResourceExhaustedError("the array does not fit into memory");
    case ZIP_ER_NOZIP:
    case ZIP_ER_COMPNOTSUPP:
    case ZIP_ER_NOPASSWD:
    case ZIP_ER_ENCRNOTSUPP:
      return absl::InvalidArgumentError(
          absl::StrCat("the archive cannot be read (", text,
                       R"(); expected an .npz file: write it with np.savez("x.npz", name=x))"));
    default:
      return absl::DataLossError(absl::StrCat("the archive is damaged, or cannot be written (",
                                              text, "): save or copy it again"));
  }
}

struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

// An open archive. Changes are lost unless they are committed.
class Archive {
 public:
  static absl::StatusOr<Archive> Open(const std::filesystem::path& path, int flags) {
    int code = 0;
    zip_t* const archive = zip_open(path.c_str(), flags, &code);
    if (archive != nullptr) {
      return Archive(archive);
    }
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const absl::Status status = ToStatus(error);
    zip_error_fini(&error);
    return status;
  }

  zip_t* get() const { return archive_.get(); }

  absl::Status LastError() const { return ToStatus(*zip_get_error(get())); }

  // Writes the changes.
  absl::Status Commit() {
    if (zip_close(get()) != 0) {
      return LastError();
    }
    static_cast<void>(archive_.release());  // zip_close() has freed it.
    return absl::OkStatus();
  }

  // The names of the arrays.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (zip_int64_t i = 0; i < zip_get_num_entries(get(), 0); ++i) {
      const char* const name = zip_get_name(get(), static_cast<zip_uint64_t>(i), 0);
      if (name != nullptr && absl::EndsWith(name, kMemberSuffix)) {
        names.emplace_back(absl::StripSuffix(name, kMemberSuffix));
      }
    }
    return names;
  }

 private:
  struct Discard {
    void operator()(zip_t* archive) const { zip_discard(archive); }
  };

  explicit Archive(zip_t* archive) : archive_(archive) {}

  std::unique_ptr<zip_t, Discard> archive_;
};

// A file in an open archive.
class Member final : public ByteSource {
 public:
  // Takes over an open file.
  Member(zip_file_t* file, std::uintmax_t size) : file_(file), size_(size) {}

  std::uintmax_t size() const override { return size_; }

  absl::Status Read(std::span<std::byte> buffer) override {
    while (!buffer.empty()) {
      const zip_int64_t count = zip_fread(file_.get(), buffer.data(), buffer.size());
      if (count < 0) {
        return ToStatus(*zip_file_get_error(file_.get()));
      }
      if (count == 0) {
        return absl::DataLossError(
            "the archive is damaged: an array ends too early; save or copy it again");
      }
      buffer = buffer.subspan(static_cast<std::size_t>(count));
    }
    return absl::OkStatus();
  }

  // Checks the sum over all bytes, once they have been read.
  absl::Status CheckEnd() {
    std::byte next{};
    const zip_int64_t count = zip_fread(file_.get(), &next, sizeof(next));
    if (count < 0) {
      return ToStatus(*zip_file_get_error(file_.get()));
    }
    return count == 0 ? absl::OkStatus()
                      : absl::DataLossError(
                            "the archive is damaged: an array is longer than it "
                            "says; save or copy it again");
  }

 private:
  std::unique_ptr<zip_file_t, CloseMember> file_;
  std::uintmax_t size_;
};

// Returns the name of the array to read.
absl::StatusOr<std::string> ChooseName(const std::string& name,
                                       const std::vector<std::string>& names) {
  const std::string all = names.empty() ? "none" : absl::StrJoin(names, ", ");
  if (name.empty()) {
    return names.size() == 1
               ? absl::StatusOr<std::string>(names.front())
               : absl::InvalidArgumentError(absl::StrCat(
                     "the archive has these arrays: ", all,
                     "; expected a single one, or the name of one of them, as in x.npz:name"));
  }
  return std::ranges::find(names, name) != names.end()
             ? absl::StatusOr<std::string>(name)
             : absl::NotFoundError(absl::StrCat("the archive has no array \"", name,
                                                "\"; expected one of those that it has: ", all));
}

// Returns the size of a member, if its bytes can be decompressed to so many.
absl::StatusOr<std::uintmax_t> SizeOf(const zip_stat_t& entry, std::uintmax_t archive_size) {
  constexpr zip_uint64_t kSizes = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  if ((entry.valid & kSizes) != kSizes || entry.comp_size > archive_size ||
      entry.size > entry.comp_size * kMaxRatio + kMaxRatioOffset) {
    return absl::DataLossError(
        "the archive is damaged: an array is larger than its bytes can be; save or copy it again");
  }
  return entry.size;
}

absl::Status AddMember(const Archive& archive, const std::string& name, zip_source_t* source) {
  const zip_int64_t index =
      zip_file_add(archive.get(), name.c_str(), source, ZIP_FL_OVERWRITE | ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return archive.LastError();
  }
  const auto place = static_cast<zip_uint64_t>(index);
  return zip_set_file_compression(archive.get(), place, ZIP_CM_STORE, 0) == 0 &&
                 zip_file_set_dostime(archive.get(), place, 0, kFirstDay, 0) == 0
             ? absl::OkStatus()
             : archive.LastError();
}

}  // namespace

std::optional<NpzPath> ParseNpzPath(const std::filesystem::path& path) {
  const std::string& text = path.native();
  const std::size_t with_name = text.rfind(absl::StrCat(kArchiveSuffix, ":"));
  if (with_name != std::string::npos) {
    const std::size_t end = with_name + kArchiveSuffix.size();
    return NpzPath{.archive = text.substr(0, end), .name = text.substr(end + 1)};
  }
  return absl::EndsWith(text, kArchiveSuffix) ? std::optional(NpzPath{.archive = path, .name = {}})
                                              : std::nullopt;
}

absl::Status ReadFromNpz(const NpzPath& path,
                         const std::function<absl::Status(ByteSource&)>& read) {
  ASSIGN_OR_RETURN(const Archive archive, Archive::Open(path.archive, ZIP_RDONLY));
  ASSIGN_OR_RETURN(const std::string name, ChooseName(path.name, archive.Names()));
  const std::string member_name = absl::StrCat(name, kMemberSuffix);
  zip_stat_t entry;
  if (zip_stat(archive.get(), member_name.c_str(), 0, &entry) != 0) {
    return archive.LastError();
  }
  std::error_code ignored;  // Then no size is small enough.
  const std::uintmax_t archive_size = std::filesystem::file_size(path.archive, ignored);
  ASSIGN_OR_RETURN(const std::uintmax_t size, SizeOf(entry, archive_size));
  zip_file_t* const file = zip_fopen(archive.get(), member_name.c_str(), 0);
  if (file == nullptr) {
    return archive.LastError();
  }
  Member member(file, size);
  RETURN_IF_ERROR(read(member));
  return member.CheckEnd();
}

absl::Status WriteToNpz(const NpzPath& path, std::span<const std::byte> header,
                        std::span<const std::byte> elements) {
  // libzip would replace a link.
  ASSIGN_OR_RETURN(const std::filesystem::path target, FollowLinks(path.archive));
  ASSIGN_OR_RETURN(Archive archive, Archive::Open(target, ZIP_CREATE));
  const auto fragment = [](std::span<const std::byte> bytes) {
    // libzip only reads from it.
    return zip_buffer_fragment_t{
        .data = reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data())),
        .length = bytes.size()};
  };
  const std::array fragments = {fragment(header), fragment(elements)};
  zip_source_t* const source =
      zip_source_buffer_fragment(archive.get(), fragments.data(), fragments.size(), 0);
  if (source == nullptr) {
    return archive.LastError();
  }
  const absl::string_view name = path.name.empty() ? kDefaultName : absl::string_view(path.name);
  RETURN_IF_ERROR(AddMember(archive, absl::StrCat(name, kMemberSuffix), source));
  return archive.Commit();
}

}  // namespace quantd::client
