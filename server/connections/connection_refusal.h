// Why a connection is not served, or not any longer.

#ifndef QUANTD_SERVER_CONNECTIONS_CONNECTION_REFUSAL_H_
#define QUANTD_SERVER_CONNECTIONS_CONNECTION_REFUSAL_H_

#include <array>
#include <cstddef>
#include <string_view>

namespace quantd::server {

enum class ConnectionRefusal {
  // As many connections as the server permits are open,
  kTotalLimit,
  // or as many as it permits to one peer.
  kPeerLimit,
  // The process or the machine has no file descriptor left,
  kNoDescriptors,
  // or the kernel no memory.
  kNoMemory,
};

// In logs and metrics; indexed by ConnectionRefusal.
inline constexpr std::array<std::string_view, 4> kConnectionRefusalNames = {
    "max_connections", "max_connections_per_peer", "no_descriptors", "no_memory"};

constexpr std::string_view NameOf(ConnectionRefusal refusal) {
  return kConnectionRefusalNames.at(static_cast<std::size_t>(refusal));
}

// Why a connection is broken off.
enum class ConnectionBreak {
  // Its client aborts too many calls.
  kAbortedCalls,
  // The process has too much memory allocated, and this connection seems to cost the most.
  kMemory,
};

// In logs and metrics; indexed by ConnectionBreak.
inline constexpr std::array<std::string_view, 2> kConnectionBreakNames = {"aborted_calls",
                                                                          "memory"};

constexpr std::string_view NameOf(ConnectionBreak reason) {
  return kConnectionBreakNames.at(static_cast<std::size_t>(reason));
}

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_CONNECTION_REFUSAL_H_
