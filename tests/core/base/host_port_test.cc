#include "core/base/host_port.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace quantd::core {
namespace {

// Returns the address as "HOST|PORT", or "none".
std::string Parsed(std::string_view text, std::optional<std::uint16_t> default_port = {}) {
  const auto address = ParseHostPort(text, default_port);
  return address.has_value() ? address->host + "|" + std::to_string(address->port) : "none";
}

TEST(HostPort, ReadsNamesAndAddresses) {
  EXPECT_EQ(Parsed("localhost:50051"), "localhost|50051");
  EXPECT_EQ(Parsed("0.0.0.0:0"), "0.0.0.0|0");
  EXPECT_EQ(Parsed("[::1]:65535"), "::1|65535");
}

TEST(HostPort, TakesTheDefaultOnlyForAPortThatIsLeftOut) {
  EXPECT_EQ(Parsed("localhost", 80), "localhost|80");
  EXPECT_EQ(Parsed("[::1]", 80), "::1|80");
  EXPECT_EQ(Parsed("localhost:81", 80), "localhost|81");
  EXPECT_EQ(Parsed("localhost:", 80), "none");
}

TEST(HostPort, RefusesAnyOtherText) {
  for (const std::string_view text :
       {"", ":80", "localhost", "localhost:", "localhost:x", "localhost:65536", "localhost:-1",
        "localhost: 80", "localhost:80 ", "::1:80", "[::1:80", "::1]:80", "[]:80", "[::1]80",
        "[[::1]]:80", "a:b:80"}) {
    EXPECT_EQ(Parsed(text), "none") << text;
  }
}

TEST(HostPort, WritesWhatItReads) {
  for (const std::string_view text : {"localhost:50051", "0.0.0.0:1", "[::1]:50051"}) {
    EXPECT_EQ(FormatHostPort(*ParseHostPort(text)), text);
  }
}

}  // namespace
}  // namespace quantd::core
