// What the tree of a CLI::App says about its flags, as --help shows it.

#ifndef QUANTD_COMMAND_LINE_FLAG_H_
#define QUANTD_COMMAND_LINE_FLAG_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace quantd::command_line {

// One flag, under all its names. The name that --help gives to a value tells
// its kind: FILE is a file's name, words in small letters with | between are
// the values themselves, and anything else is free.
struct Flag {
  enum class Value { kNone, kOptional, kFile, kChoice, kFree };

  // With dashes, short ones first.
  std::vector<std::string> names;
  Value value = Value::kNone;
  // Empty for kNone.
  std::string value_name;
  // For kChoice, in the order of --help.
  std::vector<std::string> choices;
  std::string description;
  // Empty: none.
  std::string default_value;
  // The environment variable that stands for it; empty: none.
  std::string environment_variable;
  bool is_required = false;
  bool may_be_repeated = false;

  // Whether the next argument is its value, unless one is joined to it by '='.
  bool TakesNextArgument() const { return value != Value::kNone && value != Value::kOptional; }
};

// The flags of `app` itself, in the order of --help. Positional arguments, which
// neither program has, are left out.
std::vector<Flag> FlagsOf(const CLI::App& app);

// The flags that may stand where `command` was chosen: its own, and behind them
// those of `app` that it lets fall through.
std::vector<Flag> FlagsBehind(const CLI::App& command, const CLI::App& app);

// The subcommands of `app`, in the order of --help.
std::vector<const CLI::App*> CommandsOf(const CLI::App& app);

// All names of `flags`, in their order, each once.
std::vector<std::string> NamesOf(const std::vector<Flag>& flags);

// What stands before the first full stop or semicolon that a blank follows, for
// places that have room for one line.
std::string FirstClause(const std::string& text);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_FLAG_H_
