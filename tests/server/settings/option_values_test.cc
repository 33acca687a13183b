#include "server/settings/option_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::server {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(ParseByteSize, AcceptsBinaryUnits) {
  EXPECT_EQ(*ParseByteSize("0"), 0U);
  EXPECT_EQ(*ParseByteSize("12345"), 12345U);
  EXPECT_EQ(*ParseByteSize("7B"), 7U);
  EXPECT_EQ(*ParseByteSize("1KiB"), 1024U);
  EXPECT_EQ(*ParseByteSize("64MiB"), 67108864U);
  EXPECT_EQ(*ParseByteSize("1GiB"), 1073741824U);
}

TEST(ParseByteSize, RejectsOtherTextsAndQuotesThem) {
  for (const char* text : {"", "MiB", "-1", "1.5GiB", "12parsec", "64 MiB", "64mib", "1GiB ",
                           "18446744073709551616", "17179869184GiB"}) {
    const auto size = ParseByteSize(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_THAT(std::string(size.status().message()), HasSubstr("'" + std::string(text) + "'"));
  }
}

TEST(FormatByteSize, IsTheInverse) {
  for (const char* text : {"0", "1", "1023", "1KiB", "64MiB", "1GiB", "1025KiB", "2048GiB"}) {
    EXPECT_EQ(FormatByteSize(*ParseByteSize(text)), text);
  }
}

TEST(ParseDuration, AcceptsNumbersAsSeconds) {
  EXPECT_EQ(*ParseDuration("7"), milliseconds(7000));
  EXPECT_EQ(*ParseDuration("0"), milliseconds(0));
  EXPECT_EQ(*ParseDuration("2.5"), milliseconds(2500));
  EXPECT_EQ(*ParseDuration("2.5s"), milliseconds(2500));
  EXPECT_EQ(*ParseDuration("500ms"), milliseconds(500));
  EXPECT_EQ(*ParseDuration("1m30s"), milliseconds(90'000));
}

TEST(ParseDuration, RejectsOtherTextsAndQuotesThem) {
  for (const char* text : {"", "soon", "-1s", "30 s", "1.2.3", ".", "inf", "25h"}) {
    const auto duration = ParseDuration(text);
    ASSERT_FALSE(duration.ok()) << text;
    EXPECT_THAT(std::string(duration.status().message()), HasSubstr("'" + std::string(text) + "'"));
  }
}

TEST(FormatDuration, IsTheInverse) {
  for (const int count : {0, 1, 500, 7000, 90'000}) {
    EXPECT_EQ(*ParseDuration(FormatDuration(milliseconds(count))), milliseconds(count));
  }
}

TEST(ParsePermissions, ParsesOctalNumbers) {
  EXPECT_EQ(*ParsePermissions("0"), 0U);
  EXPECT_EQ(*ParsePermissions("660"), 0660U);
  EXPECT_EQ(*ParsePermissions("0777"), 0777U);
}

TEST(ParsePermissions, RejectsOtherTextsAndQuotesThem) {
  for (const char* text : {"", "-1", "8", "1000", "rw-rw----", "0o660"}) {
    const auto permissions = ParsePermissions(text);
    ASSERT_FALSE(permissions.ok()) << text;
    EXPECT_THAT(std::string(permissions.status().message()),
                HasSubstr("'" + std::string(text) + "'"));
  }
}

TEST(FormatPermissions, IsTheInverse) {
  for (const mode_t permissions : {0U, 07U, 0660U, 0777U}) {
    EXPECT_EQ(*ParsePermissions(FormatPermissions(permissions)), permissions);
  }
}

TEST(ParseWholeNumber, RejectsNumbersOutsideItsRange) {
  EXPECT_EQ(*ParseWholeNumber("1", 1, 8), 1U);
  EXPECT_EQ(*ParseWholeNumber("8", 1, 8), 8U);
  for (const char* text : {"0", "9", "", "3x", "-3", "3.0"}) {
    EXPECT_FALSE(ParseWholeNumber(text, 1, 8).ok()) << text;
  }
}

}  // namespace
}  // namespace quantd::server
