#include "server/settings/option_values.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace quantd::server {
namespace {

struct ByteUnit {
  std::string_view name;
  std::uint64_t bytes;
};

// The largest unit comes first.
constexpr ByteUnit kByteUnits[] = {{"GiB", std::uint64_t{1} << 30},
                                   {"MiB", std::uint64_t{1} << 20},
                                   {"KiB", std::uint64_t{1} << 10},
                                   {"B", 1}};

constexpr std::chrono::hours kMaxDuration{24};

absl::string_view AsAbsl(std::string_view text) { return {text.data(), text.size()}; }

absl::Status NoByteSize(std::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", AsAbsl(text),
                   "' is not a valid size; expected a whole number, optionally with one of the "
                   "units B, KiB, MiB and GiB, such as 256MiB"));
}

std::optional<std::uint64_t> UnitBytes(std::string_view name) {
  if (name.empty()) {
    return 1;
  }
  for (const ByteUnit& unit : kByteUnits) {
    if (unit.name == name) {
      return unit.bytes;
    }
  }
  return std::nullopt;
}

bool IsNumber(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
  return !whole.empty() && whole.find_first_not_of(kDigits) == std::string_view::npos &&
         fraction.find_first_not_of(kDigits) == std::string_view::npos;
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseByteSize(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [number_end, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) {
    return NoByteSize(text);
  }
  const std::optional<std::uint64_t> unit = UnitBytes({number_end, end});
  if (!unit.has_value() || number > std::numeric_limits<std::uint64_t>::max() / *unit) {
    return NoByteSize(text);
  }
  return number * *unit;
}

std::string FormatByteSize(std::uint64_t bytes) {
  for (const ByteUnit& unit : kByteUnits) {
    if (bytes != 0 && unit.bytes > 1 && bytes % unit.bytes == 0) {
      return absl::StrCat(bytes / unit.bytes, AsAbsl(unit.name));
    }
  }
  return absl::StrCat(bytes);
}

absl::StatusOr<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const std::string with_unit = absl::StrCat(AsAbsl(text), IsNumber(text) ? "s" : "");
  absl::Duration duration;
  if (!absl::ParseDuration(with_unit, &duration) || duration < absl::ZeroDuration() ||
      duration > absl::FromChrono(kMaxDuration)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", AsAbsl(text),
                     "' is not a valid duration of up to a day; expected a number of seconds, or "
                     "numbers with units, such as 30s, 500ms or 1m30s"));
  }
  return absl::ToChronoMilliseconds(duration);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  return absl::FormatDuration(absl::FromChrono(duration));
}

absl::StatusOr<mode_t> ParsePermissions(std::string_view text) {
  constexpr mode_t kMax = 0777;
  mode_t permissions = 0;
  const char* const end = text.data() + text.size();
  const auto [number_end, error] = std::from_chars(text.data(), end, permissions, 8);
  if (error != std::errc() || number_end != end || permissions > kMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", AsAbsl(text),
                     "' is not a valid set of permissions; expected an octal number from 0 to 777, "
                     "such as 660"));
  }
  return permissions;
}

std::string FormatPermissions(mode_t permissions) { return absl::StrFormat("%o", permissions); }

absl::StatusOr<std::uint64_t> ParseWholeNumber(std::string_view text, std::uint64_t min,
                                               std::uint64_t max) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [number_end, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number_end != end || number < min || number > max) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", AsAbsl(text), "' is not a whole number from ", min, " to ", max));
  }
  return number;
}

}  // namespace quantd::server
