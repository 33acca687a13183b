#include "server/settings/environment.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/to_absl.h"
#include "server/settings/nearest_name.h"

namespace quantd::server {
namespace {

constexpr std::string_view kPrefix = "QUANTD_";

// Longer names are not repeated in a message, and nobody meant a setting by them.
constexpr std::size_t kMaxNameSize = 100;

Values SplitList(const std::string& text) {
  Values items;
  for (const absl::string_view item : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    items.emplace_back(absl::StripAsciiWhitespace(item));
  }
  return items;
}

bool IsOneOf(absl::string_view word, std::initializer_list<absl::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// Whether `words` are the end of a name that Kubernetes generates for a service:
// SERVICE_HOST, SERVICE_PORT, SERVICE_PORT_GRPC, PORT, PORT_50051_TCP,
// PORT_50051_TCP_ADDR.
bool IsOfService(std::span<const absl::string_view> words) {
  if (words.front() == "SERVICE") {
    return words.size() >= 2 && (words[1] == "PORT" || (words[1] == "HOST" && words.size() == 2));
  }
  if (words.front() != "PORT" || words.size() == 2 || words.size() > 4) {
    return false;
  }
  std::uint32_t port = 0;
  return words.size() == 1 ||
         (absl::SimpleAtoi(words[1], &port) && IsOneOf(words[2], {"TCP", "UDP", "SCTP"}) &&
          (words.size() == 3 || IsOneOf(words[3], {"PROTO", "PORT", "ADDR"})));
}

// Whether Kubernetes (QUANTD_SERVICE_HOST, QUANTD_PORT_50051_TCP_ADDR, or
// QUANTD_CANARY_PORT of a service quantd-canary) or a link of Docker
// (QUANTD_ENV_PATH, QUANTD_NAME) generates variables of this name.
bool IsGenerated(std::string_view name) {
  const absl::string_view rest = core::ToAbsl(name.substr(kPrefix.size()));
  if (rest == "NAME" || absl::StartsWith(rest, "ENV_")) {
    return true;
  }
  const std::vector<absl::string_view> words = absl::StrSplit(rest, '_');
  for (std::span<const absl::string_view> end(words); !end.empty(); end = end.subspan(1)) {
    if (IsOfService(end)) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> KnownVariables() {
  std::vector<std::string> names = {std::string(kConfigVariable)};
  for (const Setting& setting : Settings()) {
    names.push_back(EnvironmentName(setting.name));
  }
  return names;
}

}  // namespace

std::string EnvironmentName(std::string_view flag_name) {
  return absl::StrCat(core::ToAbsl(kPrefix), absl::AsciiStrToUpper(absl::StrReplaceAll(
                                                 core::ToAbsl(flag_name), {{"-", "_"}})));
}

GivenValues ReadEnvironment(const Environment& environment) {
  GivenValues given;
  for (const Setting& setting : Settings()) {
    const std::string name = EnvironmentName(setting.name);
    const auto variable = environment.find(name);
    if (variable == environment.end() || (variable->second.empty() && !setting.may_be_empty)) {
      continue;
    }
    Values values = setting.kind == Setting::Kind::kList ? SplitList(variable->second)
                                                         : Values{variable->second};
    given.emplace(setting.name,
                  GivenValue{.values = std::move(values),
                             .source = absl::StrCat("the environment variable ", name)});
  }
  return given;
}

std::vector<std::string> UnknownVariables(const Environment& environment) {
  const std::vector<std::string> known = KnownVariables();
  std::vector<std::string> sentences;
  for (auto variable = environment.lower_bound(kPrefix);
       variable != environment.end() && variable->first.starts_with(kPrefix); ++variable) {
    const std::string name = variable->first.substr(0, kMaxNameSize);
    if (std::ranges::find(known, variable->first) != known.end() || IsGenerated(name)) {
      continue;
    }
    const std::optional<std::string> nearest = NearestName(name, known);
    sentences.push_back(absl::StrCat(
        "the environment variable ", name, " is not a setting and has no effect; ",
        nearest.has_value() ? absl::StrCat("did you mean ", *nearest, "?")
                            : "expected the name of a flag, as quantd --help lists them: correct "
                              "or remove it"));
  }
  return sentences;
}

}  // namespace quantd::server
