#include "server/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::server {
namespace {

TEST(ParseNetworkAddress, ParsesNamesAndNumericAddresses) {
  const struct {
    const char* text;
    const char* host;
    int port;
  } cases[] = {{"localhost:50051", "localhost", 50051},
               {"0.0.0.0:0", "0.0.0.0", 0},
               {"[::1]:65535", "::1", 65535}};
  for (const auto& [text, host, port] : cases) {
    const auto address = ParseNetworkAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->host, host);
    EXPECT_EQ(address->port, port);
    EXPECT_EQ(core::FormatHostPort(*address), text);
  }
}

TEST(ParseNetworkAddress, RejectsOtherTextsAndQuotesThem) {
  for (const char* text : {"", "nowhere", ":50051", "localhost:", "localhost:65536", "localhost:-1",
                           "localhost:http", "::1:50051", "[]:1", "localhost:1 "}) {
    const auto address = ParseNetworkAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_THAT(std::string(address.status().message()),
                testing::HasSubstr("'" + std::string(text) + "'"));
  }
}

TEST(CheckListenAddress, AcceptsHostsAndUnixSockets) {
  EXPECT_TRUE(CheckListenAddress("localhost:50051").ok());
  EXPECT_TRUE(CheckListenAddress("unix:/run/quantd.sock").ok());
  EXPECT_FALSE(CheckListenAddress("unix:").ok());
  EXPECT_FALSE(CheckListenAddress("unix:" + std::string(108, 'x')).ok());
  EXPECT_FALSE(CheckListenAddress("/run/quantd.sock").ok());
}

}  // namespace
}  // namespace quantd::server
