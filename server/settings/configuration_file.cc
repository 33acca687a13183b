#include "server/settings/configuration_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/read_file.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "server/settings/nearest_name.h"
#include "server/settings/toml.h"

namespace quantd::server {
namespace {

std::string PlaceOf(const std::string& path, const toml::source_position& position) {
  return absl::StrCat(path, ":", position.line, ":", position.column);
}

absl::Status ErrorAt(const std::string& place, absl::string_view complaint) {
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", complaint));
}

// `key` for a message: a long one is cut.
std::string Shown(std::string_view key) {
  constexpr std::size_t kMaxSize = 60;
  return key.size() <= kMaxSize ? std::string(key)
                                : absl::StrCat(core::ToAbsl(key.substr(0, kMaxSize)), "…");
}

const Setting* FindSetting(std::string_view name) {
  const auto found = std::ranges::find(Settings(), name, &Setting::name);
  return found == Settings().end() ? nullptr : &*found;
}

std::string UnknownKey(std::string_view key, const toml::node& node) {
  std::vector<std::string> names(Settings().size());
  std::ranges::transform(Settings(), names.begin(), &Setting::name);
  const std::optional<std::string> nearest = NearestName(key, names);
  const std::string advice = node.is_table() || node.is_array_of_tables()
                                 ? "settings have no sections: write them without [" + Shown(key) +
                                       "] or " + Shown(key) + ". in front"
                             : nearest.has_value() ? "did you mean '" + *nearest + "'?"
                                                   : "correct or remove it";
  return absl::StrCat("'", Shown(key),
                      "' is not a setting; expected the name of a flag without dashes, as quantd "
                      "--help lists them; ",
                      advice);
}

// What to write for a setting, for messages.
std::string Expected(const Setting& setting) {
  const std::string example = setting.name + " = ";
  switch (setting.kind) {
    case Setting::Kind::kText:
      return "a string, such as " + example + "\"…\"";
    case Setting::Kind::kNumber:
      return "a whole number, such as " + example + "4";
    case Setting::Kind::kSize:
      return "a number of bytes or a string with a unit, such as " + example + "\"64MiB\"";
    case Setting::Kind::kDuration:
      return "a number of seconds or a string with units, such as " + example + "\"30s\"";
    case Setting::Kind::kSwitch:
      return example + "true or " + example + "false";
    case Setting::Kind::kList:
      return "a string or an array of strings, such as " + example + "[\"localhost:50051\"]";
  }
  return "";
}

// The kind of a value, as people who write TOML call it.
absl::string_view TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

// The shortest decimal number, without an exponent, that is the same as `number`.
std::string DecimalText(double number) {
  // A float64 has up to 309 digits before the point, or over 1000 characters behind it
  // if it is tiny.
  std::array<char, 1100> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return error == std::errc() ? std::string(text.data(), end) : std::string("nan");
}

// Returns the text of a value that is not an array, or nothing if settings of this
// kind do not take its type.
std::optional<std::string> TextOf(const toml::node& node, Setting::Kind kind) {
  using Kind = Setting::Kind;
  if (const auto* const text = node.as_string();
      text != nullptr && kind != Kind::kNumber && kind != Kind::kSwitch) {
    return text->get();
  }
  if (const auto* const number = node.as_integer();
      number != nullptr &&
      (kind == Kind::kNumber || kind == Kind::kSize || kind == Kind::kDuration)) {
    return std::to_string(number->get());
  }
  if (const auto* const number = node.as_floating_point();
      number != nullptr && kind == Kind::kDuration) {
    return DecimalText(number->get());
  }
  if (const auto* const boolean = node.as_boolean(); boolean != nullptr && kind == Kind::kSwitch) {
    return boolean->get() ? "true" : "false";
  }
  return std::nullopt;
}

// Converts the value of `setting`. Calls the file `path` in errors.
absl::StatusOr<Values> ValuesOf(const Setting& setting, const toml::node& node,
                                const std::string& path) {
  Values values;
  const auto add = [&](const toml::node& item) -> absl::Status {
    std::optional<std::string> text = TextOf(item, setting.kind);
    if (!text.has_value()) {
      return ErrorAt(PlaceOf(path, item.source().begin),
                     absl::StrCat("'", setting.name, "' is ", TypeName(item), "; expected ",
                                  Expected(setting)));
    }
    if (text->find('\0') != std::string::npos) {
      return ErrorAt(PlaceOf(path, item.source().begin),
                     absl::StrCat("'", setting.name,
                                  "' contains the character U+0000, which no setting can have; "
                                  "remove it"));
    }
    values.push_back(*std::move(text));
    return absl::OkStatus();
  };
  if (const toml::array* const items = node.as_array();
      items != nullptr && setting.kind == Setting::Kind::kList) {
    for (const toml::node& item : *items) {
      RETURN_IF_ERROR(add(item));
    }
    return values;
  }
  RETURN_IF_ERROR(add(node));
  return values;
}

struct Entry {
  const toml::key* key;
  const toml::node* node;
};

// toml++ sorts by key; people read errors from the top of the file.
std::vector<Entry> InOrderOfTheFile(const toml::table& table) {
  std::vector<Entry> entries;
  for (const auto& [key, node] : table) {
    entries.push_back({.key = &key, .node = &node});
  }
  std::ranges::sort(entries, std::less<>(), [](const Entry& entry) {
    const toml::source_position begin = entry.key->source().begin;
    return std::pair(begin.line, begin.column);
  });
  return entries;
}

// Writes a basic string of TOML, which can express every text of valid UTF-8.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      quoted += {'\\', character};
    } else if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\u%04X", static_cast<int>(character));
    } else {
      quoted += character;
    }
  }
  return quoted + "\"";
}

// Formats the values of `setting` as TOML.
std::string FormatValues(const Setting& setting, const Values& values) {
  if (setting.kind == Setting::Kind::kList) {
    std::string list;
    for (const std::string& value : values) {
      absl::StrAppend(&list, list.empty() ? "" : ", ", Quoted(value));
    }
    return "[" + list + "]";
  }
  const std::string& value = values.front();
  const bool is_number = setting.kind == Setting::Kind::kNumber ||
                         (setting.kind == Setting::Kind::kSize &&
                          value.find_first_not_of("0123456789") == std::string::npos);
  return is_number || setting.kind == Setting::Kind::kSwitch ? value : Quoted(value);
}

}  // namespace

absl::StatusOr<GivenValues> ReadConfigurationFile(const std::string& path) {
  const absl::StatusOr<std::string> text = core::ReadFile(path, kMaxConfigurationBytes);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the configuration file ", path, ": ", text.status().message(),
                     "; expected a TOML file that this user may read, of at most ",
                     kMaxConfigurationBytes / 1024, " KiB: correct --config"));
  }
  return ParseConfiguration(path, *text);
}

absl::StatusOr<GivenValues> ParseConfiguration(const std::string& path, std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return ErrorAt(PlaceOf(path, parsed.error().source().begin),
                   absl::StrCat(core::ToAbsl(parsed.error().description()),
                                "; expected TOML 1.0 in UTF-8: correct this line or put the value "
                                "in quotes"));
  }
  GivenValues given;
  for (const Entry& entry : InOrderOfTheFile(parsed.table())) {
    const std::string place = PlaceOf(path, entry.key->source().begin);
    const Setting* const setting = FindSetting(entry.key->str());
    if (setting == nullptr) {
      return ErrorAt(place, UnknownKey(entry.key->str(), *entry.node));
    }
    ASSIGN_OR_RETURN(Values values, ValuesOf(*setting, *entry.node, path));
    given.emplace(setting->name,
                  GivenValue{.values = std::move(values),
                             .source = absl::StrCat(PlaceOf(path, entry.node->source().begin), ": ",
                                                    setting->name)});
  }
  return given;
}

absl::StatusOr<std::string> FormatConfiguration(const Options& options) {
  std::string text;
  for (const Setting& setting : Settings()) {
    const std::string line =
        absl::StrCat(setting.name, " = ", FormatValues(setting, setting.get(options)), "\n");
    if (!ParseConfiguration("", line).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--", setting.name,
          " has a value that TOML cannot express; expected valid UTF-8: choose another "
          "value"));
    }
    absl::StrAppend(&text, "# ", setting.description, ".\n", line);
  }
  return text;
}

}  // namespace quantd::server
