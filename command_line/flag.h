// Describes the flags of a CLI::App, as --help shows them.

#ifndef QUANTD_COMMAND_LINE_FLAG_H_
#define QUANTD_COMMAND_LINE_FLAG_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace quantd::command_line {

// One flag, under all of its names. The placeholder that --help shows for a
// value determines the value's kind: FILE, or something|FILE, is a file name,
// lowercase words separated by | are the permitted values, and anything else is free
// text.
struct Flag {
  enum class Value { kNone, kOptional, kFile, kChoice, kFree };

  // With dashes; short names come first.
  std::vector<std::string> names;
  Value value = Value::kNone;
  // Empty for kNone.
  std::string value_name;
  // For kChoice, in the order of --help.
  std::vector<std::string> choices;
  std::string description;
  // Empty if there is no default.
  std::string default_value;
  // The environment variable that sets this flag; empty if there is none.
  std::string environment_variable;
  bool is_required = false;
  bool may_be_repeated = false;

  // Whether the next argument is the flag's value, provided that no value is
  // joined to the flag by '='.
  bool TakesNextArgument() const { return value != Value::kNone && value != Value::kOptional; }
};

// Returns the flags of `app` itself, in the order of --help. Positional
// arguments are left out; neither program has any.
std::vector<Flag> FlagsOf(const CLI::App& app);

// Returns the flags that may follow `command`: its own, and then those of `app`
// that fall through from it.
std::vector<Flag> FlagsBehind(const CLI::App& command, const CLI::App& app);

// Returns the subcommands of `app`, in the order of --help.
std::vector<const CLI::App*> CommandsOf(const CLI::App& app);

// Returns the names of all `flags`, in order.
std::vector<std::string> NamesOf(const std::vector<Flag>& flags);

// Returns the part of `text` before the first period or semicolon that is
// followed by white space, for places that have room for one line.
std::string FirstClause(const std::string& text);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_FLAG_H_
