// Decides whether a call may be answered.

#ifndef QUANTD_SERVER_ACCESS_ACCESS_CONTROL_H_
#define QUANTD_SERVER_ACCESS_ACCESS_CONTROL_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "server/access/access_policy.h"
#include "server/access/bearer_tokens.h"
#include "server/access/caller.h"

namespace quantd::server {

// Knows the tokens and the policy of a server. Without either, everybody may call: whoever has to
// show a certificate has done so before there is a call.
//
// Thread-safe. A change holds for the calls that begin after it.
class AccessControl {
 public:
  void SetTokens(BearerTokens tokens);
  void SetPolicy(AccessPolicy policy);

  // Checks that whoever shows `credentials` may call `method`, one of those in
  // AccessPolicy::Permission. Says in `caller` who it is, in any case.
  //
  // Errors: INVALID_TOKEN (kUnauthenticated) for a token that is not one of the server's, even with
  // other credentials beside it; CREDENTIALS_MISSING (kUnauthenticated) if the caller is anonymous
  // and may not call the method; NOT_PERMITTED (kPermissionDenied) for any other caller that may
  // not. Without tokens, a token is not looked at.
  absl::Status Admit(const Credentials& credentials, std::string_view method, Caller& caller) const;

 private:
  struct Rules {
    std::optional<BearerTokens> tokens;
    std::optional<AccessPolicy> policy;
  };

  std::shared_ptr<const Rules> rules() const;
  template <typename Change>
  void Replace(const Change& change);

  mutable core::Mutex mutex_;
  std::shared_ptr<const Rules> rules_ ABSL_GUARDED_BY(mutex_) = std::make_shared<Rules>();
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_ACCESS_CONTROL_H_
