#ifndef QUANTD_COMMAND_LINE_MANUAL_PAGE_H_
#define QUANTD_COMMAND_LINE_MANUAL_PAGE_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace quantd::command_line {

// A paragraph; with a tag, such as a variable's name, the text explains that.
struct ManualEntry {
  std::string tag;
  std::string text;
};

struct ManualSection {
  std::string title;
  std::vector<ManualEntry> entries;
};

// What a manual page has and --help has not. Plain text, in UTF-8.
struct ManualText {
  // What the program is, for the NAME section: no capital, no full stop.
  std::string summary;
  std::string version;
  // Variables besides those that flags name as theirs.
  std::vector<ManualEntry> environment;
  // What stands behind ENVIRONMENT: EXIT STATUS, FILES, EXAMPLES, SEE ALSO.
  std::vector<ManualSection> sections;
};

// The manual page of `app` in section 1, as man(7) macros: its description,
// flags and commands as --help has them, and `text`.
std::string FormatManualPage(const CLI::App& app, const ManualText& text);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_MANUAL_PAGE_H_
