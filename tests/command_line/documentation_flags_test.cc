#include "command_line/documentation_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace quantd::command_line {
namespace {

using testing::HasSubstr;

// Returns what a program with a flag and a required command prints for
// `arguments`, which are in reverse order.
std::string TextOf(std::vector<std::string> arguments) {
  CLI::App app("", "program");
  AddDocumentationFlags(
      app, {.summary = "does things", .version = "1", .environment = {}, .sections = {}});
  bool on = false;
  app.add_flag("--added-later", on);
  app.add_subcommand("command");
  app.require_subcommand(1);
  try {
    app.parse(std::move(arguments));
  } catch (const CallForDocumentation& call) {
    EXPECT_EQ(call.get_exit_code(), 0);
    return call.what();
  }
  return "";
}

TEST(DocumentationFlags, PrintTheManualPageWithoutACommand) {
  EXPECT_THAT(TextOf({"--manual-page"}), HasSubstr("program \\- does things"));
}

TEST(DocumentationFlags, PrintACompletionForEachShell) {
  EXPECT_THAT(TextOf({"bash", "--completion"}), HasSubstr("complete -F _program program\n"));
  EXPECT_THAT(TextOf({"zsh", "--completion"}), HasSubstr("#compdef program\n"));
  EXPECT_THAT(TextOf({"fish", "--completion"}), HasSubstr("complete --command program "));
}

TEST(DocumentationFlags, CoverFlagsThatWereAddedLater) {
  EXPECT_THAT(TextOf({"--manual-page"}), HasSubstr("\\-\\-added\\-later"));
  EXPECT_THAT(TextOf({"bash", "--completion"}), HasSubstr("--added-later"));
}

TEST(DocumentationFlags, RejectUnknownShells) {
  try {
    TextOf({"tcsh", "--completion"});
    ADD_FAILURE() << "tcsh was accepted";
  } catch (const CLI::ParseError& error) {
    EXPECT_STREQ(error.what(), "--completion: 'tcsh' is not one of bash|zsh|fish");
  }
}

}  // namespace
}  // namespace quantd::command_line
