// Generates shell completion scripts. The scripts complete commands, flags, the
// values of flags that accept one of a fixed set, and file names for flags that
// take a file.

#ifndef QUANTD_COMMAND_LINE_COMPLETION_H_
#define QUANTD_COMMAND_LINE_COMPLETION_H_

#include <CLI/CLI.hpp>
#include <string>

namespace quantd::command_line {

// Returns a script for bash 4.4 or newer. It does not need bash-completion.
std::string FormatBashCompletion(const CLI::App& app);

// Returns a script for zsh. Source it after compinit, or install it as _NAME in
// a folder of fpath.
std::string FormatZshCompletion(const CLI::App& app);

// Returns a script for fish.
std::string FormatFishCompletion(const CLI::App& app);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_COMPLETION_H_
