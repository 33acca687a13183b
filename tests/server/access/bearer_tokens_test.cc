#include "server/access/bearer_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quantd::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// printf %s apple | sha256sum
constexpr const char* kAppleHash =
    "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b";
constexpr const char* kPearHash =
    "97cfbe87531abe0c6bac7b21d616cb422faaa158a9f2ae7e8685c79eb85fc65e";

BearerTokens TokensOf(const std::string& text) {
  absl::StatusOr<BearerTokens> tokens = BearerTokens::Parse("tokens", text);
  EXPECT_TRUE(tokens.ok()) << tokens.status();
  return *std::move(tokens);
}

TEST(BearerTokens, AreKnownByTheirHashes) {
  const BearerTokens tokens = TokensOf(std::string("# who may call\n\nci ") + kAppleHash +
                                       "\n  trainer@2.eu-1\t" + kPearHash + "  \r\n");
  EXPECT_EQ(tokens.NameOf("apple"), "ci");
  EXPECT_EQ(tokens.NameOf("pear"), "trainer@2.eu-1");
  for (const char* other : {"", "appl", "apple ", "Apple", kAppleHash}) {
    EXPECT_EQ(tokens.NameOf(other), std::nullopt) << other;
  }
}

TEST(BearerTokens, MayHaveTheSameNameWhileOneReplacesTheOther) {
  const BearerTokens tokens =
      TokensOf(std::string("ci ") + kAppleHash + "\nci " + kPearHash + "\n");
  EXPECT_EQ(tokens.NameOf("apple"), "ci");
  EXPECT_EQ(tokens.NameOf("pear"), "ci");
}

TEST(BearerTokens, ErrorsNameTheLineAndNeverTheToken) {
  struct Case {
    std::string text;
    std::string complaint;
  };
  const std::string line = std::string("ci ") + kAppleHash;
  for (const Case& bad : std::vector<Case>{
           {"", "tokens has no tokens"},
           {"# nothing\n", "tokens has no tokens"},
           {line + "\nsecretword", "tokens:2: expected a name"},
           {line + " secretword", "tokens:1: expected a name"},
           {std::string("b\xc3\xa4r ") + kAppleHash, "tokens:1: expected a name"},
           {"ci secretword", "'ci' has 10 characters; expected the 64 hexadecimal digits"},
           {"ci " + std::string(64, 'g'), "'ci' has 64 characters; expected the 64 hexadecimal"},
           {line + "\nother " + kAppleHash, "tokens:2: 'other' has the same token as 'ci'"}}) {
    EXPECT_THAT(std::string(BearerTokens::Parse("tokens", bad.text).status().message()),
                AllOf(HasSubstr(bad.complaint), Not(HasSubstr("secretword"))))
        << bad.text;
  }
}

}  // namespace
}  // namespace quantd::server
