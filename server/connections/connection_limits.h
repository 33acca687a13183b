// How many connections a server may have, which depends on how many files it may open.

#ifndef QUANTD_SERVER_CONNECTIONS_CONNECTION_LIMITS_H_
#define QUANTD_SERVER_CONNECTIONS_CONNECTION_LIMITS_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/status/statusor.h"

namespace quantd::server {

// The most connections that are derived from the limit for descriptors, which may be far
// beyond what memory permits. A client of a gRPC server needs few.
inline constexpr std::size_t kMaxDerivedConnections = 10'000;

struct ConnectionLimits {
  // At least 1.
  std::size_t connections = 0;
  // At most that.
  std::size_t connections_per_peer = 0;
  // How many calls one may have in memory, including those that its client has aborted.
  std::uint64_t calls_in_memory = std::numeric_limits<std::uint64_t>::max();
  // How much memory one may take without calls, besides what is limited otherwise.
  std::uint64_t connection_bytes = std::uint64_t{16} << 10;
};

// Raises the process's soft limit for file descriptors to the hard one, and returns it.
// Programs start with a low soft limit only for the sake of select(), which nothing here
// uses.
//
// Errors: those of getrlimit(). If the limit cannot be raised, it stays.
absl::StatusOr<std::uint64_t> RaiseDescriptorLimit();

// Returns the limits for a process that may open `descriptors` files, some of which are
// left for metrics, logs and clients that are refused.
//
// `connections` is 0 for as many as that permits, up to kMaxDerivedConnections.
// `connections_per_peer` is 0 for half of the connections, so that no peer alone can lock
// out the others.
//
// Errors: kInvalidArgument, with the flag and how to fix it, if `connections` is more than
// the descriptors permit, or `connections_per_peer` more than the connections.
absl::StatusOr<ConnectionLimits> DeriveConnectionLimits(std::uint64_t descriptors,
                                                        std::size_t connections,
                                                        std::size_t connections_per_peer);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_CONNECTION_LIMITS_H_
