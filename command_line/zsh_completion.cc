#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "command_line/completion.h"
#include "command_line/flag.h"

namespace quantd::command_line {
namespace {

std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// `text` where _arguments and _describe would take some characters for theirs.
std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {":", "\\:"}, {"[", "\\["}, {"]", "\\]"}});
}

// How _arguments completes the value of `flag`.
std::string ActionOf(const Flag& flag) {
  const std::string message = Escaped(flag.value_name);
  switch (flag.value) {
    case Flag::Value::kNone:
      return "";
    case Flag::Value::kOptional:
      return absl::StrCat("::", message, ": ");
    case Flag::Value::kFile:
      return absl::StrCat(":", message, ":_files");
    case Flag::Value::kChoice:
      return absl::StrCat(":", message, ":(", absl::StrJoin(flag.choices, " "), ")");
    case Flag::Value::kFree:
      break;
  }
  return absl::StrCat(":", message, ": ");
}

// The flag's specifications as _arguments takes them, one a line.
std::string SpecificationsOf(const Flag& flag, const std::string& indent) {
  std::string specifications;
  for (const std::string& name : flag.names) {
    // Behind '=' or as the next word; behind '=' alone where it may be left out.
    const bool is_long = name.rfind("--", 0) == 0;
    const std::string joint = !is_long || flag.value == Flag::Value::kNone ? ""
                              : flag.value == Flag::Value::kOptional       ? "=-"
                                                                           : "=";
    absl::StrAppend(
        &specifications, indent,
        Quoted(absl::StrCat(flag.may_be_repeated ? "*" : "", name, joint, "[",
                            Escaped(FirstClause(flag.description)), "]", ActionOf(flag))),
        "\n");
  }
  return specifications;
}

void AppendSpecifications(const std::vector<Flag>& flags, const std::string& indent,
                          std::string* script) {
  for (const Flag& flag : flags) {
    script->append(SpecificationsOf(flag, indent));
  }
}

// The body for a program of commands.
void AppendCommands(const CLI::App& app, std::string* script) {
  absl::StrAppend(script,
                  "  _arguments -C $flags '1: :->command' '*:: :->arguments' && return\n"
                  "  case $state in\n"
                  "    command)\n"
                  "      commands=(\n");
  for (const CLI::App* command : CommandsOf(app)) {
    absl::StrAppend(script, "        ",
                    Quoted(absl::StrCat(Escaped(command->get_name()), ":",
                                        Escaped(FirstClause(command->get_description())))),
                    "\n");
  }
  absl::StrAppend(script,
                  "      )\n"
                  "      _describe command commands\n"
                  "      ;;\n"
                  "    arguments)\n"
                  "      case $line[1] in\n");
  for (const CLI::App* command : CommandsOf(app)) {
    absl::StrAppend(script, "        ", command->get_name(), ")\n          flags=(\n");
    AppendSpecifications(FlagsBehind(*command, app), "            ", script);
    absl::StrAppend(script, "          )\n          ;;\n");
  }
  absl::StrAppend(script,
                  "      esac\n"
                  "      _arguments $flags\n"
                  "      ;;\n"
                  "  esac\n");
}

}  // namespace

std::string FormatZshCompletion(const CLI::App& app) {
  const std::string& name = app.get_name();
  std::string script = absl::StrCat("#compdef ", name, "\n# zsh completion for ", name,
                                    ". Written by: ", name, " --completion zsh\n\n_", name,
                                    "() {\n"
                                    "  local state\n"
                                    "  local -a line flags commands\n"
                                    "  flags=(\n");
  AppendSpecifications(FlagsOf(app), "    ", &script);
  absl::StrAppend(&script, "  )\n");
  if (CommandsOf(app).empty()) {
    absl::StrAppend(&script, "  _arguments $flags\n");
  } else {
    AppendCommands(app, &script);
  }
  // Loaded from fpath the file is the function's body, and else it is sourced.
  absl::StrAppend(&script, "}\n\nif [ \"$funcstack[1]\" = _", name, " ]; then\n  _", name,
                  " \"$@\"\nelse\n  compdef _", name, " ", name, "\nfi\n");
  return script;
}

}  // namespace quantd::command_line
