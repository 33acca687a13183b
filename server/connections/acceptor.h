// Accepts the connections of clients.

#ifndef QUANTD_SERVER_CONNECTIONS_ACCEPTOR_H_
#define QUANTD_SERVER_CONNECTIONS_ACCEPTOR_H_

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_descriptor.h"
#include "server/connections/connection_limits.h"
#include "server/connections/connection_refusal.h"
#include "server/connections/listening_socket.h"
#include "server/connections/open_connections.h"
#include "server/connections/transport.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"

namespace quantd::server {

// Accepts connections on a thread of its own and hands them over to a transport.
//
// gRPC 1.51 would stop listening for good at the first accept() that finds no file
// descriptor (CVE-2023-4785), and knows no limit for connections. Here, a connection for
// which there is no room is closed at once, so that its client sees an error and can turn
// to another server, and accepting goes on.
//
// Nor does gRPC 1.51 bound what a client costs that aborts its calls as fast as it can. HTTP/2
// does not count them any more, but they stay in memory. Its connection is broken off
// (CallFlood).
//
// Its memory quota sees neither the calls themselves nor the frames into which a message is
// cut: one that carries a single byte takes 43. The last resort is therefore the allocator:
// while the process has allocated more than it may, the connections that seem to cost the
// most are broken off.
class Acceptor {
 public:
  // Accepts on `sockets` until Stop(). `transport` is used on the acceptor's thread alone;
  // `metrics` and `log` must outlive the acceptor.
  //
  // Errors: kResourceExhausted if there are not enough file descriptors.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(std::vector<ListeningSocket> sockets,
                                                         const ConnectionLimits& limits,
                                                         std::unique_ptr<Transport> transport,
                                                         Metrics* metrics, Log* log);

  ~Acceptor();

  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Stops accepting, and closes the listening sockets. When this returns, no connection is
  // handed over any more. Connections that were handed over are not affected. May be called
  // several times, but not by several threads at once.
  void Stop();

  // Has gRPC close the connections that were handed over, as if their clients had done so,
  // after what is still to be sent. Waits for it until `deadline`. To be called after
  // Stop().
  void CloseConnections(std::chrono::steady_clock::time_point deadline);

  // Breaks off the connections that were handed over and are still open: those of clients
  // that do not read would never end. To be called after Stop().
  void BreakOffConnections() const;

 private:
  using Clock = std::chrono::steady_clock;

  Acceptor(const ConnectionLimits& limits, std::unique_ptr<Transport> transport, Metrics* metrics,
           Log* log);

  // The thread: waits for connections until Stop().
  void Run();
  // Waits until there may be something to do. Returns the indices of sockets_ on which
  // clients wait, or nullopt once Stop() was called.
  std::optional<std::vector<std::size_t>> Wait();
  // Accepts those that wait on one socket, up to a number, so that no socket starves others.
  void AcceptAll(const ListeningSocket& socket);
  // Hands `connection` over, or closes it.
  void Serve(core::FileDescriptor connection);
  // Like OpenConnections::RefusalOf(), but first forgets closed connections if that matters.
  std::optional<ConnectionRefusal> RefusalOf(const std::string& peer);
  void RemoveClosed();
  // Breaks off connections whose clients flood the server. Looks at them only if so many calls
  // have failed since the last look that there may be one.
  void BreakOffFloods();
  // Breaks off the costliest connections if the process has allocated more than it may, and
  // does not free any.
  void SaveMemory();
  void RecordBreak(ConnectionBreak reason, const std::string& peer);
  // Handles a failed accept(): without descriptors, closes the waiting client's connection
  // by means of the spare descriptor. Returns whether to go on.
  bool Survive(int error, const ListeningSocket& socket);
  // Stops looking at the sockets for a short time, when accept() fails in spite of all.
  void Pause();
  void Refuse(ConnectionRefusal refusal, const std::string& peer);

  std::vector<ListeningSocket> sockets_;
  const std::uint64_t max_calls_in_memory_;
  const std::uint64_t connection_bytes_;
  const std::unique_ptr<Transport> transport_;
  Metrics* const metrics_;
  Log* const log_;
  // Readable once Stop() was called.
  core::FileDescriptor stop_;
  // Given up to accept a connection when no other descriptor is left.
  core::FileDescriptor spare_;

  // Used by the thread alone, and when it has ended.
  OpenConnections open_;
  Clock::time_point next_look_at_closed_{};
  Clock::time_point next_count_{};
  Clock::time_point next_look_for_floods_{};
  Clock::time_point next_look_at_memory_{};
  std::int64_t spare_bytes_at_last_look_ = std::numeric_limits<std::int64_t>::max();
  std::uint64_t failed_calls_at_last_look_ = 0;
  std::optional<Clock::time_point> paused_until_;

  std::thread thread_;
};

}  // namespace quantd::server

#endif  // QUANTD_SERVER_CONNECTIONS_ACCEPTOR_H_
