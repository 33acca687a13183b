#include "client/library/connection_security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "client/library/token_file.h"
#include "tests/client/temporary_folder.h"
#include "tests/wait_until.h"

namespace quantd::client {
namespace {

using testing::HasSubstr;

std::string ComplaintAbout(const ConnectionSecurity& security, const std::string& address) {
  return std::string(CheckSecurity(security, *ParseServerAddresses(address)).message());
}

TEST(ConnectionSecurity, NeedsBothOrNeitherOfCertificateAndKey) {
  for (const ConnectionSecurity& half : {ConnectionSecurity{.tls = true, .certificate_chain = "x"},
                                         ConnectionSecurity{.tls = true, .private_key = "x"}}) {
    EXPECT_THAT(ComplaintAbout(half, "a:1"), HasSubstr("expected both, or neither"));
  }
  EXPECT_EQ(ComplaintAbout({.tls = true, .certificate_chain = "x", .private_key = "x"}, "a:1"), "");
}

TEST(ConnectionSecurity, NeedsTlsForWhatBelongsToIt) {
  for (const ConnectionSecurity& plain :
       {ConnectionSecurity{.root_certificates = "x"},
        ConnectionSecurity{.certificate_chain = "x", .private_key = "x"},
        ConnectionSecurity{.server_name = "x"}}) {
    EXPECT_THAT(ComplaintAbout(plain, "localhost:1"), HasSubstr("without TLS"));
  }
}

TEST(ConnectionSecurity, KeepsATokenFromANetworkInPlainText) {
  const ConnectionSecurity token{.token_file = "token"};
  EXPECT_THAT(ComplaintAbout(token, "localhost:1,example.com:1"),
              HasSubstr("would cross the network to example.com:1 in plain text"));
  EXPECT_EQ(ComplaintAbout(token, "localhost:1,unix:/a,[::1]:1"), "");
  EXPECT_EQ(ComplaintAbout({.tls = true, .token_file = "token"}, "example.com:1"), "");
  EXPECT_EQ(ComplaintAbout({.token_file = "token", .allow_plaintext_token = true}, "a.com:1"), "");
}

TEST(TokenFile, IsReadAgainAfterAWhile) {
  const TemporaryFolder folder;
  const std::string path = folder / "token";
  std::ofstream(path) << "  apple\n";
  TokenFile token(path);
  EXPECT_EQ(*token.AuthorizationHeader(), "Bearer apple");
  std::ofstream(path) << "pear";
  EXPECT_TRUE(WaitUntil([&] { return *token.AuthorizationHeader() == "Bearer pear"; }));
  EXPECT_EQ(*TokenFile("").AuthorizationHeader(), "");
}

TEST(TokenFile, HasOneTokenOfVisibleCharacters) {
  const TemporaryFolder folder;
  const std::string path = folder / "token";
  for (const std::string& bad : std::vector<std::string>{"", " \n", "a b", "a\nb", "a\x01",
                                                         "\xc3\xa4", std::string(5000, 'x')}) {
    std::ofstream(path) << bad;
    const absl::Status status = TokenFile(path).AuthorizationHeader().status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << bad;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("expected a file of this user with one token"));
  }
  EXPECT_FALSE(TokenFile(folder / "none").AuthorizationHeader().ok());
}

}  // namespace
}  // namespace quantd::client
