#include "client/library/server_address.h"

#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/host_port.h"
#include "core/base/status_macros.h"
#include "core/base/to_absl.h"

namespace quantd::client {
namespace {

constexpr absl::string_view kUnixPrefix = "unix:";
constexpr absl::string_view kExpected =
    "expected HOST:PORT, such as localhost:50051 or [::1]:50051, or unix:PATH";

absl::Status Wrong(absl::string_view text, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not the address of a server: ", problem));
}

// Whether a name, an IPv4 address or an IPv6 address can have the character.
bool CanBeInHost(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
         c == ':' || c == '%';
}

bool IsLoopback(const std::string& host) {
  return absl::EqualsIgnoreCase(host, "localhost") || host == "::1" || host.starts_with("127.");
}

absl::StatusOr<ServerAddress> ParseUnixAddress(absl::string_view text) {
  constexpr std::size_t kMaxSize = sizeof(sockaddr_un::sun_path) - 1;
  const std::size_t size = text.size() - kUnixPrefix.size();
  if (size == 0 || size > kMaxSize) {
    return Wrong(text, absl::StrCat("its path has ", size, " bytes; expected 1 to ", kMaxSize,
                                    ", such as unix:/run/quantd/quantd.sock"));
  }
  return ServerAddress{.text = std::string(text), .is_local = true};
}

absl::StatusOr<ServerAddress> ParseAddress(absl::string_view text) {
  if (text.empty()) {
    return Wrong(text, absl::StrCat("it is empty; ", kExpected));
  }
  if (absl::StartsWith(text, kUnixPrefix)) {
    return ParseUnixAddress(text);
  }
  if (absl::StrContains(text, "://")) {
    return Wrong(text, absl::StrCat("it is a URL; ", kExpected,
                                    ", without a scheme (--tls encrypts, in quantctl)"));
  }
  const std::optional<core::HostPort> parsed =
      core::ParseHostPort({text.data(), text.size()}, std::uint16_t{0});
  if (!parsed.has_value() || !std::ranges::all_of(parsed->host, CanBeInHost)) {
    return Wrong(text, absl::StrCat(kExpected, ", with a port from 1 to 65535"));
  }
  if (parsed->port == 0) {
    return Wrong(text, absl::StrCat("it has no port, or port 0; ", kExpected));
  }
  return ServerAddress{.text = std::string(text), .is_local = IsLoopback(parsed->host)};
}

}  // namespace

bool ServerAddress::IsUnixSocket() const { return absl::StartsWith(text, kUnixPrefix); }

absl::StatusOr<std::vector<ServerAddress>> ParseServerAddresses(std::string_view text) {
  std::vector<ServerAddress> addresses;
  for (const absl::string_view part : absl::StrSplit(core::ToAbsl(text), ',')) {
    ASSIGN_OR_RETURN(ServerAddress address, ParseAddress(absl::StripAsciiWhitespace(part)));
    addresses.push_back(std::move(address));
  }
  return addresses;
}

}  // namespace quantd::client
