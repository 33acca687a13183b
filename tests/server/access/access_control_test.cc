#include "server/access/access_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

BearerTokens Tokens() {
  // printf %s apple | sha256sum
  return *BearerTokens::Parse(
      "tokens", "ci 3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b");
}

AccessPolicy Policy(const std::string& caller) {
  return AccessPolicy({{.callers = {caller}, .methods = {"Quantize"}}});
}

std::string RefusalReason(const absl::Status& status) {
  const auto detail = core::GetErrorDetail(status);
  return detail.has_value() ? detail->reason : std::string(status.ToString());
}

// The reason why `method` is refused, or "OK".
std::string Outcome(const AccessControl& control, const Credentials& credentials,
                    const std::string& method = "Quantize") {
  Caller caller;
  return RefusalReason(control.Admit(credentials, method, caller));
}

TEST(AccessControl, AdmitsEverybodyWithoutTokensAndPolicy) {
  const AccessControl control;
  EXPECT_EQ(Outcome(control, {}), "OK");
  EXPECT_EQ(Outcome(control, {.authorization = "Bearer who knows"}), "OK");
}

TEST(AccessControl, AsksForATokenOrSomethingElseThatTellsWhoCalls) {
  AccessControl control;
  control.SetTokens(Tokens());
  EXPECT_EQ(Outcome(control, {}), "CREDENTIALS_MISSING");
  for (const char* header : {"Bearer apple", "bearer apple", "BEARER  apple "}) {
    EXPECT_EQ(Outcome(control, {.authorization = header}), "OK") << header;
  }
  EXPECT_EQ(Outcome(control, {.certificate_names = {"trainer"}}), "OK");
  EXPECT_EQ(Outcome(control, {.uses_unix_socket = true}), "OK");
}

TEST(AccessControl, RefusesAWrongTokenWhateverElseIsShown) {
  AccessControl control;
  control.SetTokens(Tokens());
  for (const char* header : {"Bearer pear", "Bearer ", "Bearer", "apple", "Basic apple", ""}) {
    EXPECT_EQ(Outcome(control, {.certificate_names = {"trainer"},
                                .authorization = header,
                                .uses_unix_socket = true}),
              "INVALID_TOKEN")
        << header;
  }
}

TEST(AccessControl, ErrorsDoNotRepeatTheToken) {
  AccessControl control;
  control.SetTokens(Tokens());
  Caller caller;
  EXPECT_THAT(control.Admit({.authorization = "Bearer hidden"}, "Quantize", caller).ToString(),
              Not(HasSubstr("hidden")));
}

TEST(AccessControl, TellsCallersThatMayNotFromThoseThatAreUnknown) {
  AccessControl control;
  control.SetPolicy(Policy("certificate:trainer"));
  EXPECT_EQ(Outcome(control, {.certificate_names = {"other", "trainer"}}), "OK");
  EXPECT_EQ(Outcome(control, {.certificate_names = {"trainer"}}, "Dequantize"), "NOT_PERMITTED");
  EXPECT_EQ(Outcome(control, {.certificate_names = {"other"}}), "NOT_PERMITTED");
  EXPECT_EQ(Outcome(control, {.uses_unix_socket = true}), "NOT_PERMITTED");
  EXPECT_EQ(Outcome(control, {}), "CREDENTIALS_MISSING");
}

TEST(AccessControl, SaysWhoCallsEvenIfTheCallIsRefused) {
  AccessControl control;
  control.SetTokens(Tokens());
  control.SetPolicy(Policy("certificate:trainer"));
  Caller caller;
  const absl::Status status = control.Admit(
      {.certificate_names = {"other"}, .authorization = "Bearer apple", .uses_unix_socket = true},
      "Quantize", caller);
  EXPECT_THAT(caller.identities, ElementsAre("certificate:other", "unix", "token:ci"));
  EXPECT_EQ(caller.Name(), "certificate:other,unix,token:ci");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("certificate:other,unix,token:ci may not call Quantize"));
  Caller anonymous;
  EXPECT_EQ(control.Admit({}, "Quantize", anonymous).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(anonymous.identities, IsEmpty());
  EXPECT_EQ(anonymous.Name(), "anonymous");
}

TEST(AccessControl, ChangesHoldForTheNextCall) {
  AccessControl control;
  control.SetPolicy(Policy("anonymous"));
  EXPECT_EQ(Outcome(control, {}), "OK");
  control.SetPolicy(Policy("token:ci"));
  EXPECT_EQ(Outcome(control, {}), "CREDENTIALS_MISSING");
  control.SetTokens(Tokens());
  EXPECT_EQ(Outcome(control, {.authorization = "Bearer apple"}), "OK");
}

}  // namespace
}  // namespace quantd::server
