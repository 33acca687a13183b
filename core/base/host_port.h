// Network addresses as people write them: HOST:PORT.

#ifndef QUANTD_CORE_BASE_HOST_PORT_H_
#define QUANTD_CORE_BASE_HOST_PORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quantd::core {

// A host and a port.
struct HostPort {
  // A name or a numeric address; an IPv6 address is without its brackets.
  std::string host;
  std::uint16_t port = 0;
};

// Reads "localhost:50051", "0.0.0.0:50051" or "[::1]:50051". With a default, the
// port may be left out. Returns nothing for any other text.
std::optional<HostPort> ParseHostPort(std::string_view text,
                                      std::optional<std::uint16_t> default_port = std::nullopt);

// The inverse of ParseHostPort().
std::string FormatHostPort(const HostPort& address);

}  // namespace quantd::core

#endif  // QUANTD_CORE_BASE_HOST_PORT_H_
