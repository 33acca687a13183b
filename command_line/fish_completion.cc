#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "command_line/completion.h"
#include "command_line/flag.h"

namespace quantd::command_line {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

// How fish completes the value of `flag`.
std::string ValueOf(const Flag& flag) {
  switch (flag.value) {
    case Flag::Value::kNone:
    case Flag::Value::kOptional:
      return "";
    case Flag::Value::kFile:
      return " --require-parameter --force-files";
    case Flag::Value::kChoice:
      return absl::StrCat(" --exclusive --arguments ", Quoted(absl::StrJoin(flag.choices, " ")));
    case Flag::Value::kFree:
      break;
  }
  return " --exclusive";
}

// `begin` is the beginning of every line.
void AppendFlags(const CLI::App& app, const std::string& begin, std::string* script) {
  for (const Flag& flag : FlagsOf(app)) {
    std::string names;
    for (const std::string& name : flag.names) {
      const bool is_long = name.rfind("--", 0) == 0;
      absl::StrAppend(&names, is_long ? " --long-option " : " --short-option ",
                      name.substr(is_long ? 2 : 1));
    }
    absl::StrAppend(script, begin, names, ValueOf(flag), " --description ",
                    Quoted(FirstClause(flag.description)), "\n");
  }
}

}  // namespace

std::string FormatFishCompletion(const CLI::App& app) {
  const std::string& name = app.get_name();
  const std::string begin = absl::StrCat("complete --command ", name);
  std::string script = absl::StrCat("# fish completion for ", name, ". Written by: ", name,
                                    " --completion fish\n\n", begin, " --no-files\n");
  AppendFlags(app, begin, &script);
  const std::string commands = absl::StrJoin(
      CommandsOf(app), " ",
      [](std::string* out, const CLI::App* command) { out->append(command->get_name()); });
  for (const CLI::App* command : CommandsOf(app)) {
    absl::StrAppend(&script, "\n", begin, " --condition 'not __fish_seen_subcommand_from ",
                    commands, "' --arguments ", command->get_name(), " --description ",
                    Quoted(FirstClause(command->get_description())), "\n");
    AppendFlags(
        *command,
        absl::StrCat(begin, " --condition '__fish_seen_subcommand_from ", command->get_name(), "'"),
        &script);
  }
  return script;
}

}  // namespace quantd::command_line
