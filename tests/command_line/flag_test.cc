#include "command_line/flag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace quantd::command_line {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Flag, HasTheNamesTextAndDefaultOfItsOption) {
  CLI::App app("", "program");
  std::string value;
  app.set_help_flag();
  app.add_option("-s,--server", value, "Where it is")
      ->type_name("ADDRESS")
      ->envname("PROGRAM_SERVER")
      ->default_str("here")
      ->required();
  const std::vector<Flag> flags = FlagsOf(app);
  ASSERT_EQ(flags.size(), 1U);
  EXPECT_THAT(flags[0].names, ElementsAre("-s", "--server"));
  EXPECT_EQ(flags[0].value, Flag::Value::kFree);
  EXPECT_EQ(flags[0].value_name, "ADDRESS");
  EXPECT_EQ(flags[0].description, "Where it is");
  EXPECT_EQ(flags[0].default_value, "here");
  EXPECT_EQ(flags[0].environment_variable, "PROGRAM_SERVER");
  EXPECT_TRUE(flags[0].is_required);
  EXPECT_FALSE(flags[0].may_be_repeated);
}

TEST(Flag, KindFollowsFromThePlaceholderOfTheValue) {
  CLI::App app("", "program");
  std::string value;
  std::vector<std::string> values;
  bool on = false;
  app.set_help_flag();
  app.add_option("--file", value)->type_name("FILE");
  app.add_option("--level", value)->type_name("debug|info");
  app.add_option("--only", value)->type_name("float32");
  app.add_option("--address", value)->type_name("HOST:PORT|unix:PATH");
  app.add_option("--share", value)->type_name("[SHARE]")->expected(0, 1);
  app.add_option("--listen", values)->type_name("ADDRESS");
  app.add_flag("--switch,!--no-switch", on);
  app.add_option("--number-or-file", value)->type_name("NUMBER|FILE");
  const std::vector<Flag> flags = FlagsOf(app);
  ASSERT_EQ(flags.size(), 8U);
  EXPECT_EQ(flags[0].value, Flag::Value::kFile);
  EXPECT_EQ(flags[1].value, Flag::Value::kChoice);
  EXPECT_THAT(flags[1].choices, ElementsAre("debug", "info"));
  EXPECT_THAT(flags[2].choices, ElementsAre("float32"));
  EXPECT_EQ(flags[3].value, Flag::Value::kFree);
  EXPECT_THAT(flags[3].choices, IsEmpty());
  EXPECT_EQ(flags[4].value, Flag::Value::kOptional);
  EXPECT_FALSE(flags[4].TakesNextArgument());
  EXPECT_TRUE(flags[5].may_be_repeated);
  EXPECT_EQ(flags[6].value, Flag::Value::kNone);
  EXPECT_THAT(flags[6].names, ElementsAre("--switch", "--no-switch"));
  EXPECT_EQ(flags[7].value, Flag::Value::kFile);
}

TEST(FlagsBehind, ReturnsOwnFlagsAndThoseThatFallThrough) {
  CLI::App app("", "program");
  CLI::App* const command = app.add_subcommand("command");
  bool on = false;
  app.add_flag("--global", on);
  command->add_flag("--own", on);
  EXPECT_THAT(NamesOf(FlagsBehind(*command, app)), ElementsAre("-h", "--help", "--own"));
  command->fallthrough();
  EXPECT_THAT(NamesOf(FlagsBehind(*command, app)),
              ElementsAre("-h", "--help", "--own", "--global"));
  EXPECT_THAT(NamesOf(FlagsBehind(app, app)), ElementsAre("-h", "--help", "--global"));
}

TEST(FirstClause, EndsAtAPeriodOrSemicolonBeforeABlank) {
  EXPECT_EQ(FirstClause("Learns a range; prints it"), "Learns a range");
  EXPECT_EQ(FirstClause("Serves. Port 0 takes a free one"), "Serves");
  EXPECT_EQ(FirstClause("Asks quantd.v1.Service"), "Asks quantd.v1.Service");
  EXPECT_EQ(FirstClause(""), "");
}

}  // namespace
}  // namespace quantd::command_line
