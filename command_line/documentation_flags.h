// The flags with which a program documents itself.

#ifndef QUANTD_COMMAND_LINE_DOCUMENTATION_FLAGS_H_
#define QUANTD_COMMAND_LINE_DOCUMENTATION_FLAGS_H_

#include <CLI/CLI.hpp>
#include <string>

#include "command_line/manual_page.h"

namespace quantd::command_line {

// Thrown by CLI::App::parse() where one of the flags below is given; what() is
// the text to print.
class CallForDocumentation : public CLI::Success {
 public:
  explicit CallForDocumentation(const std::string& text)
      : Success("CallForDocumentation", text, CLI::ExitCodes::Success) {}
};

// Adds --completion SHELL and --manual-page. The texts are made when one of them
// is parsed, of all that `app` has by then. `app` must stay where it is.
void AddDocumentationFlags(CLI::App& app, const ManualText& manual);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_DOCUMENTATION_FLAGS_H_
