#include "command_line/flag.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace quantd::command_line {
namespace {

constexpr char kFile[] = "FILE";

bool IsWordInSmallLetters(const std::string& text) {
  constexpr char kSmall[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !text.empty() && text.find_first_not_of(kSmall) == std::string::npos;
}

// Whether a value may be the name of a file: FILE alone, or as the last of several
// things.
bool IsFile(const std::string& value_name) {
  return value_name == kFile || absl::EndsWith(value_name, absl::StrCat("|", kFile));
}

// The values that `value_name` lists; empty if it is a placeholder.
std::vector<std::string> ChoicesIn(const std::string& value_name) {
  std::vector<std::string> words = absl::StrSplit(value_name, '|');
  return std::ranges::all_of(words, IsWordInSmallLetters) ? words : std::vector<std::string>();
}

Flag::Value KindOf(const CLI::Option& option, const std::vector<std::string>& choices) {
  if (option.get_items_expected_max() == 0) {
    return Flag::Value::kNone;
  }
  if (option.get_items_expected_min() == 0) {
    return option.get_type_name().empty() ? Flag::Value::kNone : Flag::Value::kOptional;
  }
  if (IsFile(option.get_type_name())) {
    return Flag::Value::kFile;
  }
  return choices.empty() ? Flag::Value::kFree : Flag::Value::kChoice;
}

Flag FlagOf(const CLI::Option& option) {
  Flag flag;
  for (const std::string& name : option.get_snames()) {
    flag.names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    flag.names.push_back("--" + name);
  }
  flag.choices = ChoicesIn(option.get_type_name());
  flag.value = KindOf(option, flag.choices);
  if (flag.value != Flag::Value::kNone) {
    flag.value_name = option.get_type_name();
    flag.default_value = option.get_default_str();
  }
  flag.description = option.get_description();
  flag.environment_variable = option.get_envname();
  flag.is_required = option.get_required();
  flag.may_be_repeated = option.get_items_expected_max() > 1;
  return flag;
}

}  // namespace

std::vector<Flag> FlagsOf(const CLI::App& app) {
  std::vector<Flag> flags;
  for (const CLI::Option* option : app.get_options(nullptr)) {
    if (option->nonpositional()) {
      flags.push_back(FlagOf(*option));
    }
  }
  return flags;
}

std::vector<Flag> FlagsBehind(const CLI::App& command, const CLI::App& app) {
  std::vector<Flag> flags = FlagsOf(command);
  if (&command == &app || !command.get_fallthrough()) {
    return flags;
  }
  const std::vector<std::string> own = NamesOf(flags);
  for (Flag& flag : FlagsOf(app)) {
    if (std::ranges::find_first_of(flag.names, own) == flag.names.end()) {
      flags.push_back(std::move(flag));
    }
  }
  return flags;
}

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands(std::function<bool(const CLI::App*)>());
}

std::vector<std::string> NamesOf(const std::vector<Flag>& flags) {
  std::vector<std::string> names;
  for (const Flag& flag : flags) {
    names.insert(names.end(), flag.names.begin(), flag.names.end());
  }
  return names;
}

std::string FirstClause(const std::string& text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if ((text[i] == '.' || text[i] == ';') && (text[i + 1] == ' ' || text[i + 1] == '\n')) {
      return text.substr(0, i);
    }
  }
  return text;
}

}  // namespace quantd::command_line
