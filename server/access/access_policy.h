// Which callers may do what.

#ifndef QUANTD_SERVER_ACCESS_ACCESS_POLICY_H_
#define QUANTD_SERVER_ACCESS_ACCESS_POLICY_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/access/caller.h"

namespace quantd::server {

// Besides the methods of the service, what a policy has rules for: server reflection, and the page
// of the metrics.
inline constexpr std::string_view kReflectionName = "reflection";
inline constexpr std::string_view kMetricsName = "metrics";

// A list of permissions. What none of them permits is forbidden. Immutable.
class AccessPolicy {
 public:
  // Permits some callers some methods.
  struct Permission {
    // Patterns of identities, as Caller has them, or of "anonymous".
    std::vector<std::string> callers;
    // Patterns of methods, as wire::kMethods names them, kReflectionName and kMetricsName.
    std::vector<std::string> methods;
  };

  // In patterns, "*" stands for any text and "?" for any character, as in fnmatch(3).
  explicit AccessPolicy(std::vector<Permission> permissions)
      : permissions_(std::move(permissions)) {}

  // Reads a policy in TOML:
  //
  //   [[allow]]
  //   callers = ["certificate:*.trainers.example.com", "token:ci"]
  //   methods = ["FakeQuantize*", "GetServerInfo"]
  //
  // `path` is for messages.
  //
  // Errors: kInvalidArgument, with the path, the line and the column of what is not TOML, is
  // unknown, or could match nothing, and with what was expected.
  static absl::StatusOr<AccessPolicy> Parse(const std::string& path, std::string_view text);

  // Whether `caller` may call `method`.
  bool Permits(const Caller& caller, std::string_view method) const;

 private:
  std::vector<Permission> permissions_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_ACCESS_POLICY_H_
