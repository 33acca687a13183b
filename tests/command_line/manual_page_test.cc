#include "command_line/manual_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>

namespace quantd::command_line {
namespace {

using testing::HasSubstr;
using testing::Not;

const ManualText& SomeText() {
  static const ManualText text = {
      .summary = "does things",
      .version = "1.2.3",
      .environment = {{.tag = "PROGRAM_COLOUR", .text = "Which colour."}},
      .sections = {{.title = "SEE ALSO", .entries = {{.tag = "", .text = "other(1)"}}}}};
  return text;
}

std::string PageWith(const std::string& description) {
  CLI::App app("", "program");
  app.add_option("--flag", description)->type_name("VALUE");
  return FormatManualPage(app, SomeText());
}

TEST(ManualPage, HasSectionsInTheUsualOrder) {
  CLI::App app("Does things.", "program");
  app.add_subcommand("command", "Does one thing");
  const std::string page = FormatManualPage(app, SomeText());
  std::size_t end = 0;
  for (const char* title :
       {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "ENVIRONMENT", "SEE ALSO"}) {
    const std::size_t begin = page.find(std::string("\n.SH \"") + title + "\"\n", end);
    ASSERT_NE(begin, std::string::npos) << title;
    end = begin;
  }
  EXPECT_THAT(page, HasSubstr("\n.TH PROGRAM 1 \"\" \"program 1.2.3\" \"User Commands\"\n"));
  EXPECT_THAT(page, HasSubstr("\nprogram \\- does things\n"));
  EXPECT_THAT(page, HasSubstr("\n.SS \"command\"\nDoes one thing.\n"));
}

TEST(ManualPage, HasNoCommandsSectionIfTheProgramHasNoCommands) {
  EXPECT_THAT(PageWith("Text"), Not(HasSubstr("COMMAND")));
}

TEST(ManualPage, ShowsTheValueDefaultAndEnvironmentVariableOfAFlag) {
  CLI::App app("", "program");
  std::string value;
  app.add_option("-s,--server", value, "Where it is")
      ->type_name("ADDRESS")
      ->envname("PROGRAM_SERVER")
      ->default_str("here")
      ->required();
  app.add_option("--share", value, "How much")->type_name("[SHARE]")->expected(0, 1);
  const std::string page = FormatManualPage(app, SomeText());
  EXPECT_THAT(page, HasSubstr("\n.TP\n\\fB\\-s\\fR, \\fB\\-\\-server\\fR \\fIADDRESS\\fR\n"
                              "Where it is. Required. Default: here. Environment: "
                              "PROGRAM_SERVER.\n"));
  EXPECT_THAT(page, HasSubstr("\n\\fB\\-\\-share\\fR[=\\fISHARE\\fR]\nHow much.\n"));
  EXPECT_THAT(page, HasSubstr("\n\\fBPROGRAM_SERVER\\fR\nSets \\-\\-server unless the command "
                              "line does.\n"));
  EXPECT_THAT(page, HasSubstr("\n\\fBPROGRAM_COLOUR\\fR\nWhich colour.\n"));
}

TEST(ManualPage, EscapesCharactersThatHaveAMeaningInRoff) {
  EXPECT_THAT(PageWith(".npy file, 'x'\n.so \\ \"y\" ^~` …"),
              HasSubstr("\n\\&.npy file, \\(aqx\\(aq .so \\e \\(dqy\\(dq \\(ha\\(ti\\(ga ...."));
}

TEST(ManualPage, TurnsTheLinesOfTheDescriptionIntoParagraphs) {
  CLI::App app("One.\n\nTwo.\nThree.", "program");
  EXPECT_THAT(FormatManualPage(app, SomeText()), HasSubstr("\nOne.\n.PP\nTwo.\n.PP\nThree.\n"));
}

}  // namespace
}  // namespace quantd::command_line
