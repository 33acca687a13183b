#include "server/access/access_control.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/to_absl.h"

namespace quantd::server {
namespace {

// RFC 6750. The scheme may be written in any case (RFC 9110).
constexpr absl::string_view kScheme = "Bearer ";

absl::Status InvalidToken(absl::string_view problem) {
  return core::MakeError(
      absl::StatusCode::kUnauthenticated, core::ErrorReason::kInvalidToken,
      absl::StrCat(problem,
                   "; expected \"authorization: Bearer TOKEN\" with a token that the "
                   "server's --token-file has: check the token, or ask for a new one"));
}

absl::Status CredentialsMissing(std::string_view method) {
  return core::MakeError(
      absl::StatusCode::kUnauthenticated, core::ErrorReason::kCredentialsMissing,
      absl::StrCat(
          "the call of ", core::ToAbsl(method),
          " shows no credentials; expected a token, a client certificate, or a call over a "
          "unix socket: with quantctl, give --token-file, or --cert and --key"),
      {.metadata = {{"method", std::string(method)}}});
}

absl::Status NotPermitted(const Caller& caller, std::string_view method) {
  return core::MakeError(
      absl::StatusCode::kPermissionDenied, core::ErrorReason::kNotPermitted,
      absl::StrCat(
          caller.Name(), " may not call ", core::ToAbsl(method),
          "; expected a caller to whom the server's --policy-file permits it: ask who runs "
          "the server"),
      {.metadata = {{"caller", caller.Name()}, {"method", std::string(method)}}});
}

}  // namespace

template <typename Change>
void AccessControl::Replace(const Change& change) {
  const core::MutexLock lock(&mutex_);
  auto rules = std::make_shared<Rules>(*rules_);
  change(*rules);
  rules_ = std::move(rules);
}

void AccessControl::SetTokens(BearerTokens tokens) {
  Replace([&](Rules& rules) { rules.tokens = std::move(tokens); });
}

void AccessControl::SetPolicy(AccessPolicy policy) {
  Replace([&](Rules& rules) { rules.policy = std::move(policy); });
}

std::shared_ptr<const AccessControl::Rules> AccessControl::rules() const {
  const core::MutexLock lock(&mutex_);
  return rules_;
}

absl::Status AccessControl::Admit(const Credentials& credentials, std::string_view method,
                                  Caller& caller) const {
  const std::shared_ptr<const Rules> rules = this->rules();
  for (const std::string& name : credentials.certificate_names) {
    caller.identities.push_back("certificate:" + name);
  }
  if (credentials.uses_unix_socket) {
    caller.identities.emplace_back("unix");
  }
  if (credentials.authorization.has_value() && rules->tokens.has_value()) {
    const absl::string_view header = *credentials.authorization;
    if (!absl::StartsWithIgnoreCase(header, kScheme)) {
      return InvalidToken("the header \"authorization\" has no bearer token");
    }
    const absl::string_view token = absl::StripAsciiWhitespace(header.substr(kScheme.size()));
    const std::optional<std::string> name = rules->tokens->NameOf({token.data(), token.size()});
    if (!name.has_value()) {
      return InvalidToken("the bearer token is not one of the server's");
    }
    caller.identities.push_back("token:" + *name);
  }
  const bool is_permitted = rules->policy.has_value()   ? rules->policy->Permits(caller, method)
                            : rules->tokens.has_value() ? !caller.identities.empty()
                                                        : true;
  if (is_permitted) {
    return absl::OkStatus();
  }
  return caller.identities.empty() ? CredentialsMissing(method) : NotPermitted(caller, method);
}

}  // namespace quantd::server
