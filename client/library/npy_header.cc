#include "client/library/npy_header.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "core/tensor_shape.h"

namespace quantd::client {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kVersionBytes = 2;
constexpr std::size_t kAlignment = 64;
// numpy leaves this much room, so that the first dimension can grow in place.
constexpr std::size_t kGrowthDigits = 21;
// The largest header length that version 1.0 can represent.
constexpr std::size_t kMaxShortLength = 0xFFFF;

// The types of numpy, as it writes them on this machine.
struct Descr {
  core::ElementType type;
  std::string_view text;
  // Whether other byte orders exist, which the first character says.
  bool has_orders = true;
};
constexpr std::array kDescrs = {
    Descr{core::ElementType::kFloat32, "<f4"},
    Descr{core::ElementType::kFloat16, "<f2"},
    Descr{core::ElementType::kFloat64, "<f8"},
    Descr{core::ElementType::kInt8, "|i1"},
    Descr{core::ElementType::kUint8, "|u1"},
    Descr{core::ElementType::kInt16, "<i2"},
    Descr{core::ElementType::kUint16, "<u2"},
    Descr{core::ElementType::kInt32, "<i4"},
    Descr{core::ElementType::kBFloat16, "<V2", false},
    // What other versions of numpy and ml_dtypes write.
    Descr{core::ElementType::kBFloat16, "|V2", false},
    Descr{core::ElementType::kBFloat16, "bfloat16", false},
};
constexpr absl::string_view kExpectedTypes =
    "float32 ('<f4'), float16, float64, bfloat16, int8, uint8, int16, uint16 or int32";
constexpr char kBigEndian = '>';
// Little endian, and the order of the machine: the same.
constexpr std::string_view kOrders = "<=>";

// Whether `text` stands for a type: in any byte order, if it has several.
bool Matches(const Descr& descr, std::string_view text) {
  return text == descr.text || (descr.has_orders && !text.empty() &&
                                kOrders.find(text.front()) != std::string_view::npos &&
                                text.substr(1) == descr.text.substr(1));
}

std::string_view DescrOf(core::ElementType type) {
  const auto* const row = std::ranges::find(kDescrs, type, &Descr::type);
  assert(row != kDescrs.end());
  return row->text;
}

constexpr std::string_view kHowToSave =
    R"(write the file with np.save("x.npy", np.ascontiguousarray(x, dtype=np.float32)))";

absl::Status Unreadable(absl::string_view found, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(found, "; expected ", expected, ": ", core::ToAbsl(kHowToSave)));
}

// Error messages show at most this much of a header, which may be hostile.
constexpr std::size_t kMaxExcerptLength = 40;

std::string Excerpt(std::string_view text) {
  const std::string escaped = absl::CHexEscape(core::ToAbsl(text.substr(0, kMaxExcerptLength)));
  return text.size() > kMaxExcerptLength ? escaped + "…" : escaped;
}

// The contents of the dictionary. Each key occurs at most once.
struct Dictionary {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;
};

// Parses the only form of Python literal that headers have: a dictionary that maps
// strings to a string, a boolean and a tuple of integers. Nothing is nested, so the
// parser does not recurse.
class DictionaryParser {
 public:
  explicit DictionaryParser(std::string_view text) : rest_(text) {}

  absl::StatusOr<Dictionary> Parse() {
    if (!Consume('{')) {
      return Malformed("a dictionary");
    }
    while (!Consume('}')) {
      RETURN_IF_ERROR(ParseEntry());
      if (!Consume(',') && Peek() != '}') {
        return Malformed("',' or '}'");
      }
    }
    SkipSpace();
    if (!rest_.empty()) {
      return Malformed("nothing after the dictionary");
    }
    return std::move(dictionary_);
  }

 private:
  absl::Status ParseEntry() {
    const std::optional<std::string_view> key = ConsumeString();
    if (!key.has_value() || !Consume(':')) {
      return Malformed("a quoted key and ':'");
    }
    if (*key == "descr" && !dictionary_.descr.has_value()) {
      return ParseDescr();
    }
    if (*key == "fortran_order" && !dictionary_.fortran_order.has_value()) {
      return ParseFortranOrder();
    }
    if (*key == "shape" && !dictionary_.shape.has_value()) {
      return ParseShape();
    }
    return Unreadable(absl::StrCat("the header has the key '", Excerpt(*key), "'"),
                      "'descr', 'fortran_order' and 'shape', each once");
  }

  absl::Status ParseDescr() {
    if (Peek() == '[') {
      return Unreadable("the array has a structured dtype with several fields",
                        absl::StrCat(kExpectedTypes, ", a single field"));
    }
    const std::optional<std::string_view> descr = ConsumeString();
    if (!descr.has_value()) {
      return Malformed("a quoted dtype after 'descr'");
    }
    dictionary_.descr = *descr;
    return absl::OkStatus();
  }

  absl::Status ParseFortranOrder() {
    if (ConsumeWord("False")) {
      dictionary_.fortran_order = false;
    } else if (ConsumeWord("True")) {
      dictionary_.fortran_order = true;
    } else {
      return Malformed("True or False after 'fortran_order'");
    }
    return absl::OkStatus();
  }

  absl::Status ParseShape() {
    if (!Consume('(')) {
      return Malformed("a tuple after 'shape'");
    }
    std::vector<std::int64_t> shape;
    bool after_comma = true;
    while (!Consume(')')) {
      if (!after_comma) {
        return Malformed("',' or ')' in the shape");
      }
      const std::optional<std::int64_t> size = ConsumeInteger();
      if (!size.has_value()) {
        return Malformed("a 64-bit integer in the shape");
      }
      shape.push_back(*size);
      after_comma = Consume(',');
    }
    // In Python, (3) is a number, and (3,) is a tuple.
    if (shape.size() == 1 && !after_comma) {
      return Malformed("a tuple, as in (3,), for the shape");
    }
    dictionary_.shape = std::move(shape);
    return absl::OkStatus();
  }

  void SkipSpace() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size()));
  }

  char Peek() {
    SkipSpace();
    return rest_.empty() ? '\0' : rest_.front();
  }

  bool Consume(char expected) {
    if (Peek() != expected || rest_.empty()) {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  bool ConsumeWord(std::string_view word) {
    SkipSpace();
    if (!rest_.starts_with(word)) {
      return false;
    }
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<std::string_view> ConsumeString() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') {
      return std::nullopt;
    }
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  std::optional<std::int64_t> ConsumeInteger() {
    SkipSpace();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) {
      return std::nullopt;
    }
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    ConsumeWord("L");  // Python 2 wrote long integers in this way.
    return value;
  }

  absl::Status Malformed(absl::string_view expected) const {
    return Unreadable(absl::StrCat("the header is malformed at \"", Excerpt(rest_), "\""),
                      expected);
  }

  std::string_view rest_;
  Dictionary dictionary_;
};

// The position of the dictionary in the file.
struct Extent {
  std::size_t first;
  std::size_t size;
};

std::size_t LittleEndian(std::string_view bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

absl::StatusOr<Extent> FindDictionary(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) {
    if (bytes.starts_with("PK")) {
      return Unreadable("this is a zip archive, perhaps an .npz file",
                        "the name of one of its arrays, as in x.npz:name, or an .npy file");
    }
    return Unreadable(
        absl::StrCat("the file begins with \"", Excerpt(bytes.substr(0, kMagic.size())), "\""),
        R"(an .npy file, which begins with "\x93NUMPY")");
  }
  const std::string_view version = bytes.substr(kMagic.size(), kVersionBytes);
  if (version.size() < kVersionBytes) {
    return Unreadable("the file ends within its version", "a complete .npy header");
  }
  const auto major = static_cast<unsigned char>(version[0]);
  const auto minor = static_cast<unsigned char>(version[1]);
  if (major < 1 || major > 3 || minor != 0) {
    return Unreadable(absl::StrCat("the file has version ", major, ".", minor, " of the format"),
                      "1.0, 2.0 or 3.0");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const std::size_t first = kMagic.size() + kVersionBytes + length_bytes;
  if (bytes.size() < first) {
    return Unreadable("the file ends within the length of its header", "a complete .npy header");
  }
  const std::size_t size = LittleEndian(bytes.substr(first - length_bytes, length_bytes));
  if (size > kMaxNpyHeaderBytes - first) {
    return Unreadable(absl::StrCat("the file says its header has ", size, " bytes"),
                      absl::StrCat("at most ", kMaxNpyHeaderBytes - first));
  }
  if (size > bytes.size() - first) {
    return Unreadable(absl::StrCat("the file ends after ", bytes.size() - first, " of the ", size,
                                   " bytes of its header"),
                      "a complete .npy header");
  }
  return Extent{.first = first, .size = size};
}

// Whether both orders are the same: for arrays with at most one dimension other than 1,
// and for empty arrays.
bool IsCOrderToo(const NpyHeader& header) {
  return header.element_count == 0 ||
         std::count_if(header.shape.begin(), header.shape.end(),
                       [](std::int64_t size) { return size != 1; }) <= 1;
}

absl::StatusOr<NpyHeader> MakeHeader(Dictionary dictionary, std::size_t data_offset) {
  if (!dictionary.descr.has_value() || !dictionary.fortran_order.has_value() ||
      !dictionary.shape.has_value()) {
    return Unreadable("the header lacks one of its keys", "'descr', 'fortran_order' and 'shape'");
  }
  const auto* const descr = std::ranges::find_if(
      kDescrs, [&](const Descr& known) { return Matches(known, *dictionary.descr); });
  if (descr == kDescrs.end()) {
    return Unreadable(absl::StrCat("the array has dtype '", Excerpt(*dictionary.descr), "'"),
                      kExpectedTypes);
  }
  const absl::StatusOr<std::size_t> element_count = core::ElementCount(*dictionary.shape);
  if (!element_count.ok()) {
    return Unreadable("the header has a shape that is negative or does not fit into memory",
                      "dimensions of at least 0");
  }
  NpyHeader header{.type = descr->type,
                   .is_big_endian = dictionary.descr->starts_with(kBigEndian),
                   .shape = *std::move(dictionary.shape),
                   .data_offset = data_offset,
                   .element_count = *element_count};
  header.is_fortran_order = *dictionary.fortran_order && !IsCOrderToo(header);
  return header;
}

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(std::string_view bytes) {
  ASSIGN_OR_RETURN(const Extent extent, FindDictionary(bytes));
  ASSIGN_OR_RETURN(Dictionary dictionary,
                   DictionaryParser(bytes.substr(extent.first, extent.size)).Parse());
  return MakeHeader(std::move(dictionary), extent.first + extent.size);
}

std::string FormatNpyHeader(core::ElementType type, std::span<const std::int64_t> shape) {
  std::string dictionary = absl::StrCat("{'descr': '", core::ToAbsl(DescrOf(type)),
                                        "', 'fortran_order': False, 'shape': (");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    absl::StrAppend(&dictionary, i == 0 ? "" : ", ", shape[i]);
  }
  absl::StrAppend(&dictionary, shape.size() == 1 ? ",)" : ")", ", }");
  if (!shape.empty()) {
    dictionary.append(kGrowthDigits - absl::StrCat(shape[0]).size(), ' ');
  }

  const auto padded_size = [&](std::size_t length_bytes) {
    const std::size_t unpadded =
        kMagic.size() + kVersionBytes + length_bytes + dictionary.size() + 1;
    // numpy adds another 64 bytes to a header that fits exactly.
    return (unpadded / kAlignment + 1) * kAlignment;
  };
  const bool is_short = padded_size(2) - kMagic.size() - kVersionBytes - 2 <= kMaxShortLength;
  const std::size_t length_bytes = is_short ? 2 : 4;
  const std::size_t first = kMagic.size() + kVersionBytes + length_bytes;
  const std::size_t length = padded_size(length_bytes) - first;

  std::string header(kMagic);
  header += is_short ? '\1' : '\2';
  header += '\0';
  for (std::size_t i = 0; i < length_bytes; ++i) {
    header += static_cast<char>(length >> (8 * i) & 0xFFU);
  }
  header += dictionary;
  header.resize(first + length - 1, ' ');
  header += '\n';
  return header;
}

}  // namespace quantd::client
