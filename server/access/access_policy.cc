#include "server/access/access_policy.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"
#include "server/settings/toml.h"
#include "wire/methods.h"

namespace quantd::server {
namespace {

constexpr std::string_view kAnonymous = "anonymous";

// What identities begin with, besides "unix" and "anonymous".
constexpr std::array<std::string_view, 2> kKinds = {"certificate:", "token:"};

bool Matches(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view text) {
  const std::string name(text);
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return Matches(pattern, name); });
}

std::vector<std::string> MethodNames() {
  std::vector<std::string> names;
  std::ranges::transform(wire::kMethods, std::back_inserter(names),
                         [](const wire::Method& method) { return std::string(method.name); });
  names.emplace_back(kReflectionName);
  names.emplace_back(kMetricsName);
  return names;
}

// Names of certificates and tokens are not known in advance.
bool CanMatchCaller(const std::string& pattern) {
  return Matches(pattern, "unix") || Matches(pattern, std::string(kAnonymous)) ||
         pattern.starts_with('*') || std::ranges::any_of(kKinds, [&](std::string_view kind) {
           return pattern.starts_with(kind);
         });
}

bool CanMatchMethod(const std::string& pattern) {
  const std::vector<std::string> names = MethodNames();
  return std::ranges::any_of(names,
                             [&](const std::string& name) { return Matches(pattern, name); });
}

// Reads a policy from a file that messages call by its path.
class PolicyReader {
 public:
  explicit PolicyReader(const std::string& path) : path_(path) {}

  absl::StatusOr<std::vector<AccessPolicy::Permission>> Read(std::string_view text) const {
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
      return ErrorAt(parsed.error().source(), core::ToAbsl(parsed.error().description()));
    }
    std::vector<AccessPolicy::Permission> permissions;
    for (const auto& [key, node] : parsed.table()) {
      const toml::array* const list = node.as_array();
      if (key.str() != "allow" || list == nullptr || !list->is_homogeneous<toml::table>()) {
        return ErrorAt(key.source(), absl::StrCat("'", core::ToAbsl(key.str()),
                                                  "' is not a permission; expected [[allow]] with "
                                                  "callers and methods"));
      }
      for (const toml::node& item : *list) {
        ASSIGN_OR_RETURN(AccessPolicy::Permission permission, ReadPermission(*item.as_table()));
        permissions.push_back(std::move(permission));
      }
    }
    if (permissions.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_,
                       " permits nothing, so that nobody could call; expected [[allow]] with "
                       "callers and methods"));
    }
    return permissions;
  }

 private:
  absl::Status ErrorAt(const toml::source_region& region, absl::string_view complaint) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ":", region.begin.line, ":", region.begin.column, ": ", complaint));
  }

  absl::StatusOr<AccessPolicy::Permission> ReadPermission(const toml::table& table) const {
    AccessPolicy::Permission permission;
    for (const auto& [key, node] : table) {
      if (key.str() == "callers") {
        ASSIGN_OR_RETURN(
            permission.callers,
            ReadPatterns(node, CanMatchCaller,
                         "is not a caller; expected certificate:NAME, token:NAME, unix, "
                         "anonymous, or * for all"));
      } else if (key.str() == "methods") {
        ASSIGN_OR_RETURN(
            permission.methods,
            ReadPatterns(node, CanMatchMethod,
                         absl::StrCat("is not a method; expected * for all, or some of ",
                                      absl::StrJoin(MethodNames(), ", "))));
      } else {
        return ErrorAt(key.source(), absl::StrCat("'", core::ToAbsl(key.str()),
                                                  "' is unknown; expected callers and methods"));
      }
    }
    if (permission.callers.empty() || permission.methods.empty()) {
      return ErrorAt(table.source(), "[[allow]] is incomplete; expected both callers and methods");
    }
    return permission;
  }

  absl::StatusOr<std::vector<std::string>> ReadPatterns(const toml::node& node,
                                                        bool (*can_match)(const std::string&),
                                                        const std::string& complaint) const {
    const toml::array* const list = node.as_array();
    if (list == nullptr || list->empty()) {
      return ErrorAt(node.source(), "expected a list of strings, such as [\"*\"]");
    }
    std::vector<std::string> patterns;
    for (const toml::node& item : *list) {
      const auto* const text = item.as_string();
      if (text == nullptr) {
        return ErrorAt(item.source(), "expected a list of strings, such as [\"*\"]");
      }
      if (!can_match(text->get())) {
        return ErrorAt(item.source(), absl::StrCat("'", text->get(), "' ", complaint));
      }
      patterns.push_back(text->get());
    }
    return patterns;
  }

  const std::string& path_;
};

}  // namespace

absl::StatusOr<AccessPolicy> AccessPolicy::Parse(const std::string& path, std::string_view text) {
  ASSIGN_OR_RETURN(std::vector<Permission> permissions, PolicyReader(path).Read(text));
  return AccessPolicy(std::move(permissions));
}

bool AccessPolicy::Permits(const Caller& caller, std::string_view method) const {
  return std::ranges::any_of(permissions_, [&](const Permission& permission) {
    if (!MatchesAny(permission.methods, method)) {
      return false;
    }
    return caller.identities.empty()
               ? MatchesAny(permission.callers, kAnonymous)
               : std::ranges::any_of(caller.identities, [&](const std::string& identity) {
                   return MatchesAny(permission.callers, identity);
                 });
  });
}

}  // namespace quantd::server
