#ifndef QUANTD_COMMAND_LINE_MANUAL_PAGE_H_
#define QUANTD_COMMAND_LINE_MANUAL_PAGE_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace quantd::command_line {

// A paragraph. If there is a tag, such as the name of a variable, the text
// explains it.
struct ManualEntry {
  std::string tag;
  std::string text;
};

struct ManualSection {
  std::string title;
  std::vector<ManualEntry> entries;
};

// The parts of a manual page that --help does not show. Plain text, in UTF-8.
struct ManualText {
  // Says what the program does, for the NAME section. Starts in lowercase and has
  // no period at the end.
  std::string summary;
  std::string version;
  // Environment variables other than those that set a flag.
  std::vector<ManualEntry> environment;
  // The sections that follow ENVIRONMENT: EXIT STATUS, FILES, EXAMPLES, SEE ALSO.
  std::vector<ManualSection> sections;
};

// Returns the manual page of `app` for section 1, in man(7) macros. It shows the
// same description, flags and commands as --help, and then `text`.
std::string FormatManualPage(const CLI::App& app, const ManualText& text);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_MANUAL_PAGE_H_
