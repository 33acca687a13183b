// Flags that print a program's own documentation.

#ifndef QUANTD_COMMAND_LINE_DOCUMENTATION_FLAGS_H_
#define QUANTD_COMMAND_LINE_DOCUMENTATION_FLAGS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "command_line/manual_page.h"

namespace quantd::command_line {

// CLI::App::parse() throws this when one of the flags below is given. what()
// returns the text to print.
class CallForDocumentation : public CLI::Success {
 public:
  explicit CallForDocumentation(const std::string& text)
      : Success("CallForDocumentation", text, CLI::ExitCodes::Success) {}
};

// Adds --completion SHELL and --manual-page to `app`. Each text is generated when
// its flag is parsed, and covers everything that was added to `app` by then.
// `app` must not be moved.
void AddDocumentationFlags(CLI::App& app, const ManualText& manual);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_DOCUMENTATION_FLAGS_H_
