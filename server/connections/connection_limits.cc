#include "server/connections/connection_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace quantd::server {
namespace {

// Descriptors for everything but connections: about 16 for the process itself, the rest
// for readers of its metrics. A sixteenth of the limit if that is more, but never more
// than half.
std::uint64_t ReservedDescriptors(std::uint64_t limit) {
  constexpr std::uint64_t kLeast = 32;
  return std::min(std::max(kLeast, limit / 16), limit / 2);
}

}  // namespace

absl::StatusOr<std::uint64_t> RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return absl::ErrnoToStatus(errno, "cannot find out the limit for file descriptors");
  }
  const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

absl::StatusOr<ConnectionLimits> DeriveConnectionLimits(std::uint64_t descriptors,
                                                        std::size_t connections,
                                                        std::size_t connections_per_peer) {
  const std::size_t most =
      std::max<std::uint64_t>(1, descriptors - ReservedDescriptors(descriptors));
  if (connections > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max-connections is ", connections, ", but the process may open ", descriptors,
        " files; expected at most ", most,
        " connections: lower it, or raise the limit for files (LimitNOFILE, ulimit -n)"));
  }
  ConnectionLimits limits{
      .connections = connections == 0 ? std::min(most, kMaxDerivedConnections) : connections,
      .connections_per_peer = connections_per_peer};
  if (connections_per_peer > limits.connections) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max-connections-per-peer is ", connections_per_peer,
                     "; expected at most the connections in all, which are ", limits.connections,
                     ": lower it, or raise --max-connections"));
  }
  if (connections_per_peer == 0) {
    limits.connections_per_peer = (limits.connections + 1) / 2;
  }
  return limits;
}

}  // namespace quantd::server
