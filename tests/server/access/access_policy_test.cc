#include "server/access/access_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quantd::server {
namespace {

using testing::HasSubstr;

AccessPolicy PolicyOf(const std::string& text) {
  absl::StatusOr<AccessPolicy> policy = AccessPolicy::Parse("policy.toml", text);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

Caller With(std::vector<std::string> identities) { return {.identities = std::move(identities)}; }

constexpr const char* kExample = R"(
# Trainers may do everything with tensors.
[[allow]]
callers = ["certificate:*.trainers.example.com", "token:ci"]
methods = ["FakeQuantize*", "Stream*"]

[[allow]]
callers = ["*"]
methods = ["GetServerInfo"]

[[allow]]
callers = ["unix", "anonymous"]
methods = ["reflection", "metrics"]
)";

TEST(AccessPolicy, PermitsWhatOnePermissionPermits) {
  const AccessPolicy policy = PolicyOf(kExample);
  for (const char* identity : {"certificate:a.trainers.example.com", "token:ci"}) {
    const Caller caller = With({identity});
    EXPECT_TRUE(policy.Permits(caller, "FakeQuantize")) << identity;
    EXPECT_TRUE(policy.Permits(caller, "FakeQuantizeGradient")) << identity;
    EXPECT_TRUE(policy.Permits(caller, "StreamQuantize")) << identity;
    EXPECT_TRUE(policy.Permits(caller, "GetServerInfo")) << identity;
    EXPECT_FALSE(policy.Permits(caller, "Quantize")) << identity;
    EXPECT_FALSE(policy.Permits(caller, kReflectionName)) << identity;
  }
}

TEST(AccessPolicy, OneIdentityOfACallerSuffices) {
  const AccessPolicy policy = PolicyOf(kExample);
  EXPECT_TRUE(policy.Permits(With({"certificate:stranger", "token:ci"}), "FakeQuantize"));
  EXPECT_FALSE(policy.Permits(With({"certificate:stranger", "token:other"}), "FakeQuantize"));
  // The kind counts.
  EXPECT_FALSE(policy.Permits(With({"certificate:ci"}), "FakeQuantize"));
}

TEST(AccessPolicy, NamesAnonymousCallers) {
  const AccessPolicy policy = PolicyOf(kExample);
  EXPECT_TRUE(policy.Permits(With({}), kMetricsName));
  EXPECT_TRUE(policy.Permits(With({}), "GetServerInfo"));
  EXPECT_FALSE(policy.Permits(With({}), "FakeQuantize"));
  EXPECT_FALSE(policy.Permits(With({"token:other"}), kMetricsName));
}

TEST(AccessPolicy, ErrorsNameThePlaceAndWhatWasExpected) {
  struct Case {
    std::string text;
    std::string complaint;
  };
  for (const Case& bad : std::vector<Case>{
           {"", "policy.toml permits nothing"},
           {"[[allow]\n", "policy.toml:1:"},
           {"[[deny]]\ncallers = [\"*\"]", "policy.toml:1:3: 'deny' is not a permission"},
           {"allow = 3", "policy.toml:1:1: 'allow' is not a permission"},
           {"[[allow]]\ncallers = [\"*\"]", "[[allow]] is incomplete"},
           {"[[allow]]\nmethods = [\"*\"]", "[[allow]] is incomplete"},
           {"[[allow]]\nuser = [\"*\"]", "policy.toml:2:1: 'user' is unknown"},
           {"[[allow]]\ncallers = \"*\"", "policy.toml:2:11: expected a list of strings"},
           {"[[allow]]\ncallers = []", "expected a list of strings"},
           {"[[allow]]\ncallers = [\"unix\", 3]", "policy.toml:2:20: expected a list of strings"},
           {"[[allow]]\ncallers = [\"ci\"]", "policy.toml:2:12: 'ci' is not a caller"},
           {"[[allow]]\nmethods = [\"Quantise\"]",
            "policy.toml:2:12: 'Quantise' is not a method; expected * for all, or some of "}}) {
    EXPECT_THAT(std::string(AccessPolicy::Parse("policy.toml", bad.text).status().message()),
                HasSubstr(bad.complaint))
        << bad.text;
  }
}

}  // namespace
}  // namespace quantd::server
