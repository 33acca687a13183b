#include "core/base/host_port.h"

#include <charconv>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace quantd::core {
namespace {

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_end, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || parsed_end != end) {
    return std::nullopt;
  }
  return port;
}

}  // namespace

std::optional<HostPort> ParseHostPort(std::string_view text,
                                      std::optional<std::uint16_t> default_port) {
  const bool has_brackets = text.starts_with('[');
  if (has_brackets) {
    text.remove_prefix(1);
  }
  const std::size_t host_end = text.find_first_of(has_brackets ? "[]" : "[]:");
  const std::string_view host = text.substr(0, host_end);
  std::string_view rest = text.substr(host.size());
  if (host.empty() || (has_brackets && !rest.starts_with(']'))) {
    return std::nullopt;
  }
  if (has_brackets) {
    rest.remove_prefix(1);
  }
  const std::optional<std::uint16_t> port = rest.empty()            ? default_port
                                            : rest.starts_with(':') ? ParsePort(rest.substr(1))
                                                                    : std::nullopt;
  if (!port.has_value()) {
    return std::nullopt;
  }
  return HostPort{.host = std::string(host), .port = *port};
}

std::string FormatHostPort(const HostPort& address) {
  return address.host.find(':') == std::string::npos
             ? absl::StrCat(address.host, ":", address.port)
             : absl::StrCat("[", address.host, "]:", address.port);
}

}  // namespace quantd::core
