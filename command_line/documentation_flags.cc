#include "command_line/documentation_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "command_line/completion.h"

namespace quantd::command_line {
namespace {

struct Shell {
  std::string_view name;
  std::string (*format)(const CLI::App& app);
};
constexpr std::array<Shell, 3> kShells = {{
    {"bash", FormatBashCompletion},
    {"zsh", FormatZshCompletion},
    {"fish", FormatFishCompletion},
}};

}  // namespace

void AddDocumentationFlags(CLI::App& app, const ManualText& manual) {
  const std::string names = absl::StrJoin(
      kShells, "|", [](std::string* out, const Shell& shell) { out->append(shell.name); });
  // Triggered when they are parsed: current versions of CLI11 look first whether a
  // required command is missing.
  app.add_option_function<std::string>(
         "--completion",
         [&app, names](const std::string& name) {
           const auto* shell = std::ranges::find(kShells, name, &Shell::name);
           if (shell == kShells.end()) {
             throw CLI::ValidationError("--completion",
                                        absl::StrCat("'", name, "' is not one of ", names));
           }
           throw CallForDocumentation(shell->format(app));
         },
         "Print the completion script for this shell and exit")
      ->type_name(names)
      ->configurable(false)
      ->trigger_on_parse();
  app.add_flag_callback(
         "--manual-page",
         [&app, manual] { throw CallForDocumentation(FormatManualPage(app, manual)); },
         "Print the manual page in man's format and exit")
      ->configurable(false)
      ->trigger_on_parse();
}

}  // namespace quantd::command_line
