#include "client/library/server_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quantd::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ServerAddress, IsAHostWithAPortOrAUnixSocket) {
  struct Case {
    std::string text;
    bool is_local;
  };
  for (const Case& good : std::vector<Case>{{"localhost:50051", true},
                                            {"LOCALHOST:1", true},
                                            {"127.0.0.1:50051", true},
                                            {"127.9.9.9:50051", true},
                                            {"[::1]:65535", true},
                                            {"unix:/run/quantd.sock", true},
                                            {"unix:relative", true},
                                            {"quantd.example.com:443", false},
                                            {"192.0.2.1:50051", false},
                                            {"[2001:db8::1]:50051", false},
                                            {"a_b-c:50051", false}}) {
    const auto parsed = ParseServerAddresses(good.text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_EQ(parsed->size(), 1U);
    EXPECT_EQ(parsed->front().text, good.text);
    EXPECT_EQ(parsed->front().is_local, good.is_local) << good.text;
  }
}

TEST(ServerAddress, MayBeOneOfSeveral) {
  const auto parsed = ParseServerAddresses("a:1, b:2 ,unix:/c");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->size(), 3U);
  EXPECT_EQ((*parsed)[0].text, "a:1");
  EXPECT_EQ((*parsed)[1].text, "b:2");
  EXPECT_EQ((*parsed)[2].text, "unix:/c");
}

TEST(ServerAddress, ErrorsQuoteItAndSayWhatWasExpected) {
  for (const char* bad : {"",
                          " ",
                          "localhost",
                          "1.2.3.4",
                          ":70000",
                          ":50051",
                          "host:70000",
                          "host:0",
                          "host:",
                          "host:x",
                          "host:-1",
                          "http://host:1",
                          "https://host",
                          "dns:///host:1",
                          "a b:1",
                          "host :1",
                          "::1:50051",
                          "[::1]",
                          "[::1:50051",
                          "h\xc3\xb6st:1",
                          "host:1/path",
                          "unix:",
                          "a:1,",
                          ",a:1",
                          "a:1,b"}) {
    const absl::Status status = ParseServerAddresses(bad).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("is not the address of a server"), HasSubstr("expected ")))
        << bad;
  }
  EXPECT_THAT(std::string(ParseServerAddresses("http://host:1").status().message()),
              HasSubstr("'http://host:1' is not the address of a server: it is a URL"));
  EXPECT_THAT(
      std::string(ParseServerAddresses("unix:/" + std::string(107, 'x')).status().message()),
      HasSubstr("its path has 108 bytes; expected 1 to 107"));
}

}  // namespace
}  // namespace quantd::client
