#include "client/quantctl/printable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Printable, KeepsTextOfEveryLanguage) {
  for (const std::string text :
       {"", "range.min[0] is 3", "µs, größer, 範囲, 🙂", "\\x1b and \"quotes\""}) {
    EXPECT_EQ(Printable(text), text);
  }
}

TEST(Printable, EscapesWhatATerminalObeys) {
  EXPECT_EQ(Printable("\x1b[2J\x1b]0;title\x07"), "\\x1b[2J\\x1b]0;title\\x07");
  EXPECT_EQ(Printable("one\ntwo\r\tthree\x08\x7f"), "one\\ntwo\\r\\tthree\\x08\\x7f");
  EXPECT_EQ(Printable(std::string("a\0b", 3)), "a\\x00b");
  // C1's CSI, a separator of lines, and writing from right to left, of which a compiler would warn.
  const std::string right_to_left = {'\xe2', '\x80', '\xae'};
  EXPECT_EQ(Printable("\u009b2J \u2028 " + right_to_left), "\\u009b2J \\u2028 \\u202e");
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(Printable("\x9b[2J"), "\\x9b[2J");
  EXPECT_EQ(Printable("a\xff\xfe"), "a\\xff\\xfe");
  // Cut off, overlong, a surrogate, and beyond the last character.
  EXPECT_EQ(Printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(Printable("\xc0\x9b"), "\\xc0\\x9b");
  EXPECT_EQ(Printable("\xe0\x82\x9b"), "\\xe0\\x82\\x9b");
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(Printable("\xe2(\xa1"), "\\xe2(\\xa1");
}

TEST(PrintableJson, StaysTheSameJson) {
  const json object = {{"message", "\x1b[2J \u009b2J \x7f \u202e µ\n"}};
  const std::string printable = PrintableJson(object.dump());
  EXPECT_EQ(json::parse(printable), object);
  EXPECT_THAT(printable, HasSubstr(R"(\u001b[2J \u009b2J \u007f \u202e µ\n)"));
  EXPECT_THAT(printable, Not(HasSubstr("\u009b")));
}

}  // namespace
}  // namespace quantd::client
