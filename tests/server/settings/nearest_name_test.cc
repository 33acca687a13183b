#include "server/settings/nearest_name.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace quantd::server {
namespace {

const std::vector<std::string> kNames = {"log-level", "log-format", "listen"};

TEST(NearestName, IsTheOneWithTheFewestDifferences) {
  EXPECT_EQ(NearestName("log-levle", kNames), "log-level");
  EXPECT_EQ(NearestName("log_format", kNames), "log-format");
  EXPECT_EQ(NearestName("lisen", kNames), "listen");
  EXPECT_EQ(NearestName("llisten", kNames), "listen");
}

TEST(NearestName, IsNoneIfAllAreFarAway) {
  EXPECT_EQ(NearestName("threads", kNames), std::nullopt);
  EXPECT_EQ(NearestName("", kNames), std::nullopt);
  EXPECT_EQ(NearestName(std::string(1 << 20, 'l'), kNames), std::nullopt);
  EXPECT_EQ(NearestName("listen", {}), std::nullopt);
}

}  // namespace
}  // namespace quantd::server
