#include "server/connections/acceptor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/memory/memory.h"
#include "wire/socket_buffers.h"

namespace quantd::server {
namespace {

// How many connections to accept on one socket before looking at the others.
constexpr int kAcceptsInARow = 64;

// How long to leave the sockets alone if accept() fails and nothing can be done about it.
constexpr std::chrono::milliseconds kPause{100};

// How often to update the number of open connections.
constexpr std::chrono::milliseconds kCountInterval{1000};

// How often to look for floods of aborted calls. gRPC takes some 2000 of them in this time.
constexpr std::chrono::milliseconds kFloodInterval{100};

// How fast clients can make gRPC allocate memory, on two processors. The acceptor looks for
// the end of what is left when it could have come,
constexpr std::int64_t kAllocatedPerMillisecond = std::int64_t{2} << 20;
// but not more or less often than this.
constexpr std::chrono::milliseconds kShortestMemoryInterval{2};
constexpr std::chrono::milliseconds kLongestMemoryInterval{100};

// What an open connection takes without calls. Thousands of these do not have to be broken
// off: their number has its own limit.
constexpr std::int64_t kConnectionBytes = std::int64_t{16} << 10;

// So many calls have to fail before a look at all connections is worth its time.
constexpr std::uint64_t kFailedCallsPerLook = 1000;

// How often to look whether connections that end are closed. gRPC does not tell.
constexpr std::chrono::milliseconds kCloseInterval{5};

// At its limit, the acceptor looks for closed connections so seldom that it takes at most
// one part in this many of a processor, however many clients try to connect.
constexpr int kLookShare = 20;

// While many calls fail, looking at all connections takes at most one part in this many.
constexpr int kFloodShare = 4;

// An eventfd: the one descriptor that needs nothing else, such as a file.
core::FileDescriptor OpenEvent() {
  return core::FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

core::FileDescriptor Accept(const ListeningSocket& socket) {
  int number = -1;
  do {
    number = accept4(socket.descriptor.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (number < 0 && errno == EINTR);
  return core::FileDescriptor(number);
}

// What is wrong, and how to fix it.
std::string_view AdviceFor(ConnectionRefusal refusal) {
  switch (refusal) {
    case ConnectionRefusal::kTotalLimit:
      return "all permitted connections are open; raise --max-connections, or add servers";
    case ConnectionRefusal::kPeerLimit:
      return "this peer has all connections that one may have; let it use fewer, or raise "
             "--max-connections-per-peer";
    case ConnectionRefusal::kNoDescriptors:
      return "no file descriptor is left; raise the limit (LimitNOFILE, ulimit -n), or lower "
             "--max-connections";
    case ConnectionRefusal::kNoMemory:
      break;
  }
  return "the kernel has no memory for another connection; free some, or lower --max-connections";
}

std::string_view AdviceFor(ConnectionBreak reason) {
  switch (reason) {
    case ConnectionBreak::kAbortedCalls:
      return "its client aborts too many calls; let it abort fewer, or keep it out";
    case ConnectionBreak::kMemory:
      break;
  }
  return "gRPC has allocated more than --max-in-flight-bytes accounts for, and this connection has "
         "received the most or has the most calls; if the client is honest, give the process more "
         "memory and raise --max-in-flight-bytes, otherwise keep it out";
}

bool IsOutOfDescriptors(int error) { return error == EMFILE || error == ENFILE; }

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(std::vector<ListeningSocket> sockets,
                                                          const ConnectionLimits& limits,
                                                          std::unique_ptr<Transport> transport,
                                                          Metrics* metrics, Log* log) {
  auto acceptor = absl::WrapUnique(new Acceptor(limits, std::move(transport), metrics, log));
  if (acceptor->stop_.number() < 0 || acceptor->spare_.number() < 0) {
    return absl::ResourceExhaustedError(
        "no file descriptor is left to accept connections; expected at least two: raise the limit "
        "(LimitNOFILE, ulimit -n)");
  }
  acceptor->sockets_ = std::move(sockets);
  acceptor->thread_ = std::thread(&Acceptor::Run, acceptor.get());
  return acceptor;
}

Acceptor::Acceptor(const ConnectionLimits& limits, std::unique_ptr<Transport> transport,
                   Metrics* metrics, Log* log)
    : max_calls_in_memory_(limits.calls_in_memory),
      transport_(std::move(transport)),
      metrics_(metrics),
      log_(log),
      stop_(OpenEvent()),
      spare_(OpenEvent()),
      open_(limits) {}

Acceptor::~Acceptor() { Stop(); }

void Acceptor::CloseConnections(std::chrono::steady_clock::time_point deadline) {
  assert(!thread_.joinable());
  open_.EndReceiving();
  for (open_.RemoveClosed(); open_.size() > 0 && std::chrono::steady_clock::now() < deadline;
       open_.RemoveClosed()) {
    std::this_thread::sleep_for(kCloseInterval);
  }
}

void Acceptor::BreakOffConnections() const {
  assert(!thread_.joinable());
  open_.BreakOff();
}

void Acceptor::Stop() {
  if (!thread_.joinable()) {
    return;
  }
  [[maybe_unused]] const int written = eventfd_write(stop_.number(), 1);
  assert(written == 0);
  thread_.join();
  sockets_.clear();
}

void Acceptor::Run() {
  while (const auto ready = Wait()) {
    const Clock::time_point now = Clock::now();
    if (paused_until_.has_value() && now >= *paused_until_) {
      paused_until_.reset();
    }
    for (const std::size_t index : *ready) {
      AcceptAll(sockets_[index]);
    }
    if (open_.size() > 0 && now >= next_count_) {
      RemoveClosed();
      open_.RestartReceivedBytes();
    }
    if (open_.AnyIsHandshaking()) {
      open_.NumberHandshaken(transport_->TakeHandshaken());
    }
    if (open_.size() > 0 && now >= next_look_for_floods_) {
      BreakOffFloods();
    }
    if (open_.size() > 0 && now >= next_look_at_memory_) {
      SaveMemory();
    }
  }
}

std::optional<std::vector<std::size_t>> Acceptor::Wait() {
  std::vector<pollfd> polled = {{.fd = stop_.number(), .events = POLLIN, .revents = 0}};
  if (!paused_until_.has_value()) {
    for (const ListeningSocket& socket : sockets_) {
      polled.push_back({.fd = socket.descriptor.number(), .events = POLLIN, .revents = 0});
    }
  }
  const auto until_look = std::chrono::ceil<std::chrono::milliseconds>(
      std::min(next_look_for_floods_, next_look_at_memory_) - Clock::now());
  const auto timeout = paused_until_.has_value()
                           ? kPause
                           : std::clamp(until_look, std::chrono::milliseconds{0}, kFloodInterval);
  const bool waits_for_ever = !paused_until_.has_value() && open_.size() == 0;
  std::vector<std::size_t> ready;
  if (poll(polled.data(), polled.size(), waits_for_ever ? -1 : static_cast<int>(timeout.count())) <=
      0) {
    return ready;  // The time is over, or a signal came.
  }
  if (polled.front().revents != 0) {
    return std::nullopt;
  }
  for (std::size_t i = 1; i < polled.size(); ++i) {
    if (polled[i].revents != 0) {
      ready.push_back(i - 1);
    }
  }
  return ready;
}

void Acceptor::AcceptAll(const ListeningSocket& socket) {
  for (int i = 0; i < kAcceptsInARow && !paused_until_.has_value(); ++i) {
    core::FileDescriptor connection = Accept(socket);
    const int error = errno;
    if (connection.number() >= 0) {
      Serve(std::move(connection));
    } else if (!Survive(error, socket)) {
      return;
    }
  }
}

void Acceptor::Serve(core::FileDescriptor connection) {
  const std::string peer = PeerOf(connection.number());
  if (const auto refusal = RefusalOf(peer); refusal.has_value()) {
    Refuse(*refusal, peer);
    return;
  }
  wire::EnlargeSocketBuffer(connection.number());
  const bool counted = open_.Add(connection.number(), peer);
  metrics_->ConnectionAccepted();
  metrics_->SetOpenConnections(open_.size());
  const Transport::ConnectionNumber number = transport_->Serve(std::move(connection));
  if (counted) {
    open_.NumberLast(number);
  }
}

std::optional<ConnectionRefusal> Acceptor::RefusalOf(const std::string& peer) {
  std::optional<ConnectionRefusal> refusal = open_.RefusalOf(peer);
  if (refusal.has_value() && Clock::now() >= next_look_at_closed_) {
    RemoveClosed();
    refusal = open_.RefusalOf(peer);
  }
  return refusal;
}

void Acceptor::RemoveClosed() {
  const Clock::time_point start = Clock::now();
  open_.RemoveClosed();
  metrics_->SetOpenConnections(open_.size());
  const Clock::time_point end = Clock::now();
  next_look_at_closed_ = end + kLookShare * (end - start);
  next_count_ = std::max(next_look_at_closed_, end + kCountInterval);
}

void Acceptor::SaveMemory() {
  const Clock::time_point start = Clock::now();
  const std::int64_t spare_bytes =
      transport_->spare_bytes() + static_cast<std::int64_t>(open_.size()) * kConnectionBytes;
  // While it grows, what was broken off is being freed.
  const bool grows = spare_bytes > std::exchange(spare_bytes_at_last_look_, spare_bytes);
  if (spare_bytes < 0 && !grows) {
    open_.BreakOffCostliest(
        static_cast<std::uint64_t>(-spare_bytes),
        [this](Transport::ConnectionNumber number) {
          return transport_->CallsOf(number).in_memory;
        },
        [this](const std::string& peer) { RecordBreak(ConnectionBreak::kMemory, peer); });
  }
  const std::chrono::milliseconds until_full(spare_bytes / kAllocatedPerMillisecond);
  const Clock::time_point end = Clock::now();
  // With thousands of connections, a look takes so long that accepting would suffer.
  next_look_at_memory_ =
      end +
      std::max<Clock::duration>(
          std::clamp(until_full, kShortestMemoryInterval, kLongestMemoryInterval), end - start);
}

void Acceptor::BreakOffFloods() {
  const Clock::time_point start = Clock::now();
  next_look_for_floods_ = start + kFloodInterval;
  const std::uint64_t failed_calls = transport_->failed_calls();
  if (failed_calls - failed_calls_at_last_look_ < kFailedCallsPerLook) {
    return;
  }
  failed_calls_at_last_look_ = failed_calls;
  open_.BreakOffIf(
      [&](Transport::ConnectionNumber number, CallFlood& flood) {
        return flood.Look(transport_->CallsOf(number), max_calls_in_memory_, start);
      },
      [this](const std::string& peer) { RecordBreak(ConnectionBreak::kAbortedCalls, peer); });
  const Clock::time_point end = Clock::now();
  next_look_for_floods_ =
      end + std::max<Clock::duration>(kFloodInterval, kFloodShare * (end - start));
}

void Acceptor::RecordBreak(ConnectionBreak reason, const std::string& peer) {
  metrics_->ConnectionBrokenOff(reason);
  log_->WriteLimited(LogLevel::kWarning, "connection broken off",
                     {{"reason", std::string(NameOf(reason))}},
                     {{"peer", peer}, {"message", std::string(AdviceFor(reason))}});
}

bool Acceptor::Survive(int error, const ListeningSocket& socket) {
  switch (error) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE: {
      spare_ = core::FileDescriptor(-1);
      const int refused = Accept(socket).number();
      const int second_error = errno;
      spare_ = OpenEvent();
      // If no client waits after all, nothing is wrong.
      const bool stuck = refused < 0 && IsOutOfDescriptors(second_error);
      if (refused >= 0 || stuck) {
        Refuse(ConnectionRefusal::kNoDescriptors, "unknown");
      }
      if (stuck) {
        // Another thread was quicker to take the descriptor.
        Pause();
      }
      return refused >= 0;
    }
    case ENOBUFS:
    case ENOMEM:
      Refuse(ConnectionRefusal::kNoMemory, "unknown");
      Pause();
      return false;
    default:
      // The connection was broken before it was accepted (accept(2) lists the errors).
      return true;
  }
}

void Acceptor::Pause() { paused_until_ = Clock::now() + kPause; }

void Acceptor::Refuse(ConnectionRefusal refusal, const std::string& peer) {
  metrics_->ConnectionRefused(refusal);
  log_->WriteLimited(LogLevel::kWarning, "connection refused",
                     {{"reason", std::string(NameOf(refusal))}},
                     {{"peer", peer}, {"message", std::string(AdviceFor(refusal))}});
}

}  // namespace quantd::server
