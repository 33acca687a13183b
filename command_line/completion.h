// Completion scripts: they complete commands, flags, the values of those that
// have a choice, and the names of files for those that take one.

#ifndef QUANTD_COMMAND_LINE_COMPLETION_H_
#define QUANTD_COMMAND_LINE_COMPLETION_H_

#include <CLI/CLI.hpp>
#include <string>

namespace quantd::command_line {

// For bash 4.4 or newer; needs no bash-completion.
std::string FormatBashCompletion(const CLI::App& app);

// To be sourced after compinit, or to stand as _NAME in a folder of fpath.
std::string FormatZshCompletion(const CLI::App& app);

std::string FormatFishCompletion(const CLI::App& app);

}  // namespace quantd::command_line

#endif  // QUANTD_COMMAND_LINE_COMPLETION_H_
