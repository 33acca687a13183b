#include "server/access/tls_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/server/access/made_certificate.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;

constexpr std::chrono::seconds kDay{86'400};

NamedText Chain(const std::string& text) { return {.path = "cert.pem", .text = text}; }
NamedText Key(const std::string& text) { return {.path = "key.pem", .text = text}; }
NamedText Roots(const std::string& text) { return {.path = "ca.pem", .text = text}; }
const NamedText kNoRoots;

std::string ComplaintAbout(const NamedText& chain, const NamedText& key, const NamedText& roots) {
  return std::string(MakeTlsIdentity(chain, key, roots).status().message());
}

TEST(TlsIdentity, HasTheTextsAndTheEndOfTheCertificate) {
  const auto before = std::chrono::system_clock::now();
  const MadeCertificate made(kDay.count());
  const auto identity =
      MakeTlsIdentity(Chain(made.certificate()), Key(made.key()), Roots(made.certificate()));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->certificate_chain, made.certificate());
  EXPECT_EQ(identity->private_key, made.key());
  EXPECT_EQ(identity->client_roots, made.certificate());
  EXPECT_GT(identity->expires, before + kDay - std::chrono::seconds(2));
  EXPECT_LT(identity->expires, std::chrono::system_clock::now() + kDay + std::chrono::seconds(2));
}

TEST(TlsIdentity, MayHaveExpired) {
  const MadeCertificate made(-kDay.count());
  const auto identity = MakeTlsIdentity(Chain(made.certificate()), Key(made.key()), kNoRoots);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_LT(identity->expires, std::chrono::system_clock::now());
}

TEST(TlsIdentity, ErrorsNameTheFileAndWhatWasExpected) {
  const MadeCertificate made(kDay.count());
  const MadeCertificate other(kDay.count());
  const std::string chain = made.certificate();
  EXPECT_THAT(ComplaintAbout(Chain(""), Key(made.key()), kNoRoots),
              HasSubstr("cert.pem has no certificate; expected PEM"));
  EXPECT_THAT(ComplaintAbout(Chain(made.key()), Key(made.key()), kNoRoots),
              HasSubstr("cert.pem has no certificate"));
  EXPECT_THAT(ComplaintAbout(Chain(chain), Key(chain), kNoRoots),
              HasSubstr("key.pem has no private key; expected PEM without a passphrase"));
  EXPECT_THAT(ComplaintAbout(Chain(chain), Key(made.key("secret")), kNoRoots),
              HasSubstr("key.pem has no private key"));
  EXPECT_THAT(ComplaintAbout(Chain(chain), Key(other.key()), kNoRoots),
              HasSubstr("key.pem is not the key of the certificate in cert.pem"));
  EXPECT_THAT(ComplaintAbout(Chain(chain), Key(made.key()), Roots("none")),
              HasSubstr("ca.pem has no certificate"));
}

}  // namespace
}  // namespace quantd::server
