#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "command_line/completion.h"
#include "command_line/flag.h"

namespace quantd::command_line {
namespace {

// NAME stands for the program's name.
constexpr char kBegin[] = R"(# bash completion for NAME. Written by: NAME --completion bash

_NAME() {
  local current=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' prefix='' value='' choices='' flags commands
  # bash parts --flag=value at the equals sign, unless COMP_WORDBREAKS lacks it.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $flag == '=' ]]; then
    flag=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $current == --*=* ]]; then
    flag=${current%%=*}
    prefix=$flag=
    current=${current#*=}
  fi
)";

constexpr char kEnd[] = R"(
  COMPREPLY=()
  case $value in
    file)
      # Outside of a completion, as in tests, there is nothing to set.
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -P "$prefix" -f -- "$current")
      ;;
    choice) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$choices" -- "$current") ;;
    free) ;;
    *)
      if [[ -z $commands || $current == -* ]]; then
        commands=$flags
      fi
      mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
      ;;
  esac
}

complete -F _NAME NAME
)";

std::string NameOf(const CLI::App* app) { return app->get_name(); }

std::string CommandNames(const CLI::App& app, const std::string& separator) {
  return absl::StrJoin(CommandsOf(app), separator, [](std::string* out, const CLI::App* command) {
    out->append(NameOf(command));
  });
}

// The names of those `flags` that `is_meant`, as a pattern of `case`.
std::string Pattern(const std::vector<Flag>& flags,
                    const std::function<bool(const Flag&)>& is_meant) {
  std::vector<Flag> meant;
  for (const Flag& flag : flags) {
    if (is_meant(flag)) {
      meant.push_back(flag);
    }
  }
  return absl::StrJoin(NamesOf(meant), " | ");
}

// Appends a branch of a `case`, unless nothing leads there.
void AppendBranch(const std::string& indent, const std::string& pattern, const std::string& action,
                  std::string* script) {
  if (!pattern.empty()) {
    absl::StrAppend(script, indent, pattern, ") ", action, " ;;\n");
  }
}

// Looks for the command: the first word that is neither a flag nor its value.
void AppendSearch(const CLI::App& app, std::string* script) {
  absl::StrAppend(script,
                  "  local index\n"
                  "  for ((index = 1; index < COMP_CWORD; index++)); do\n"
                  "    case ${COMP_WORDS[index]} in\n");
  AppendBranch("      ",
               Pattern(FlagsOf(app), [](const Flag& flag) { return flag.TakesNextArgument(); }),
               "((index += 1)); [[ ${COMP_WORDS[index]} != '=' ]] || ((index += 1))", script);
  AppendBranch("      ", CommandNames(app, " | "), "command=${COMP_WORDS[index]} && break", script);
  absl::StrAppend(script, "    esac\n  done\n");
}

// What may follow where `command` was chosen; `app` itself where none was.
void AppendWords(const CLI::App& command, const CLI::App& app, std::string* script) {
  const std::vector<Flag> flags = FlagsBehind(command, app);
  const std::string commands = &command == &app ? CommandNames(app, " ") : "";
  absl::StrAppend(script, "      flags='", absl::StrJoin(NamesOf(flags), " "), "'\n",
                  "      commands='", commands, "'\n", "      case $flag in\n");
  const auto is = [](Flag::Value value) {
    return [value](const Flag& flag) { return flag.value == value; };
  };
  AppendBranch("        ", Pattern(flags, is(Flag::Value::kFile)), "value='file'", script);
  AppendBranch("        ", Pattern(flags, is(Flag::Value::kFree)), "value='free'", script);
  for (const Flag& flag : flags) {
    if (flag.value == Flag::Value::kChoice) {
      AppendBranch("        ", absl::StrJoin(flag.names, " | "),
                   absl::StrCat("value='choice' choices='", absl::StrJoin(flag.choices, " "), "'"),
                   script);
    }
  }
  absl::StrAppend(script, "      esac\n");
}

}  // namespace

std::string FormatBashCompletion(const CLI::App& app) {
  std::string script = kBegin;
  const std::vector<const CLI::App*> commands = CommandsOf(app);
  if (!commands.empty()) {
    AppendSearch(app, &script);
  }
  absl::StrAppend(&script, "\n  case $command in\n");
  for (const CLI::App* command : commands) {
    absl::StrAppend(&script, "    ", NameOf(command), ")\n");
    AppendWords(*command, app, &script);
    absl::StrAppend(&script, "      ;;\n");
  }
  absl::StrAppend(&script, "    *)\n");
  AppendWords(app, app, &script);
  absl::StrAppend(&script, "      ;;\n  esac\n", kEnd);
  return absl::StrReplaceAll(script, {{"NAME", app.get_name()}});
}

}  // namespace quantd::command_line
