#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "core/base/host_port.h"
#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "core/worker_pool.h"
#include "server/address.h"
#include "server/calls/admission.h"
#include "server/calls/open_streams.h"
#include "server/calls/transport_calls.h"
#include "server/memory.h"
#include "server/quantization_service.h"
#include "server/reflection.h"
#include "server/settings/server_limits.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/metrics_endpoint.h"
#include "wire/methods.h"
#include "wire/socket_buffers.h"

namespace quantd::server {
namespace {

// gRPC accepts messages that exceed the limit by this much, so that the service can
// refuse them with error details. gRPC refuses larger ones itself, without details.
constexpr std::uint64_t kReceiveMargin = std::uint64_t{64} << 20;

// The memory that gRPC may hold besides what is in flight: messages that arrive, or that
// are refused, and its own bookkeeping. Beyond it, gRPC closes idle connections and
// ends calls with RESOURCE_EXHAUSTED.
constexpr std::uint64_t kTransportRoom = std::uint64_t{64} << 20;

// How long to wait for what is still open when no call is running: health watches,
// which never end on their own, and refusals that are being sent.
constexpr std::chrono::milliseconds kCloseTimeout{500};

// The least time that a drain takes. Until clients notice that this server is going
// away, their calls are refused with SHUTTING_DOWN, so that they may retry. Once
// gRPC is shut down, it would answer with CANCELLED.
constexpr std::chrono::milliseconds kLameDuckPeriod{300};

// How long a stream may be quiet during a drain before it is ended. A client on a
// slow connection can take seconds to send its next message. If the drain timeout is
// short, half of it applies instead.
constexpr std::chrono::milliseconds kMaxQuietPeriod{5000};

// How often a drain looks for quiet streams, and for calls that are being uploaded.
constexpr std::chrono::milliseconds kDrainInterval{100};

// Keeps gRPC initialized until the process ends. Otherwise the destructor of the
// last server would shut gRPC down, which can block for ten seconds.
void InitializeGrpc() {
  static const bool initialized = [] {
    grpc_init();
    return true;
  }();
  (void)initialized;
}

int ReceiveLimit(std::uint64_t max_message_bytes) {
  constexpr std::uint64_t kMax = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(max_message_bytes + kReceiveMargin, kMax));
}

absl::Status CannotListen(const std::string& address, absl::string_view cause) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", address, ": ", cause,
                   "; expected a free address of this machine: choose another one with --listen, "
                   "or stop the process that listens there"));
}

// Checks that no running server uses the sockets. gRPC would replace them.
absl::Status CheckUnixSockets(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    const auto path = UnixSocketPath(address);
    if (path.has_value() && IsUnixSocketServed(*path)) {
      return CannotListen(address, "another process serves there");
    }
  }
  return absl::OkStatus();
}

absl::Status WhyNotServing(const Options& options, const std::vector<int>& ports) {
  // gRPC binds in order, and stops at the first failure.
  const auto failed = std::ranges::find(ports, 0);
  if (failed == ports.end()) {
    return absl::InternalError("gRPC did not start");
  }
  return CannotListen(options.listen[static_cast<std::size_t>(failed - ports.begin())],
                      "it cannot be bound");
}

std::string WithPort(const std::string& address, int port) {
  std::optional<core::HostPort> host_port = core::ParseHostPort(address);
  if (UnixSocketPath(address).has_value() || !host_port.has_value()) {
    return address;
  }
  host_port->port = static_cast<std::uint16_t>(port);
  return core::FormatHostPort(*host_port);
}

// A megabyte can decompress to a gigabyte, and tensors hardly compress. Clients that
// compress are refused with UNIMPLEMENTED and the encodings that are accepted, none
// (https://github.com/grpc/grpc/blob/master/doc/compression.md), instead of having their
// messages decompressed first.
void RefuseCompression(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
}

ServerLimits LimitsOf(const Options& options) {
  return {.max_message_bytes = options.max_message_bytes,
          .max_in_flight_bytes = options.max_in_flight_bytes,
          .worker_threads = options.worker_threads,
          .memory_limit_bytes = options.memory_limit};
}

}  // namespace

// The members are in order of their dependencies. The gRPC server, whose calls use
// all other members, is destroyed first.
class Server::Impl {
 public:
  Impl(const Options& options, Log* log)
      : metrics_(core::ActiveSimdTarget(), LimitsOf(options)),
        pool_(options.worker_threads),
        admission_(options.max_in_flight_bytes,
                   [this](std::function<void()> task) { pool_.Submit(std::move(task)); }),
        service_({.max_message_bytes = options.max_message_bytes,
                  .max_wait = options.max_wait,
                  .admission = &admission_,
                  .open_streams = &open_streams_,
                  .pool = &pool_,
                  .metrics = &metrics_,
                  .log = log},
                 LimitsOf(options)) {
    metrics_.ReadLoadFrom([this]() -> LoadFigures {
      const Admission::Load load = admission_.load();
      return {.requests = load.requests, .bytes = load.bytes, .waiting = load.waiting};
    });
  }

  ~Impl() { CloseConnections(std::chrono::milliseconds(0)); }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status ServeMetrics(const Options& options) {
    if (options.metrics_listen.empty()) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(metrics_endpoint_, MetricsEndpoint::Start(options.metrics_listen, metrics_));
    return absl::OkStatus();
  }

  absl::Status ServeCalls(const Options& options) {
    RETURN_IF_ERROR(CheckUnixSockets(options.listen));
    InitializeGrpc();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(ReceiveLimit(options.max_message_bytes));
    builder.SetMaxSendMessageSize(-1);
    // With SO_REUSEPORT, a second server on the same port would start, and would
    // receive some of the calls.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    if (options.max_connection_age > std::chrono::milliseconds(0)) {
      builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                                 static_cast<int>(options.max_connection_age.count()));
    }
    wire::EnlargeSocketBuffers(builder);
    RefuseCompression(builder);
    BoundTransportMemory(builder, options.max_in_flight_bytes);
    builder.SetOption(std::make_unique<ReflectionOption>(options.reflection));
    builder.RegisterService(&service_);
    std::vector<int> ports(options.listen.size(), 0);
    for (std::size_t i = 0; i < ports.size(); ++i) {
      builder.AddListeningPort(BindAddress(options.listen[i]), grpc::InsecureServerCredentials(),
                               &ports[i]);
    }
    server_ = transport_calls_.Start(builder);
    return server_ == nullptr ? WhyNotServing(options, ports) : ReportServing(options, ports);
  }

  const std::vector<std::string>& addresses() const { return addresses_; }

  core::WorkerPool& worker_pool() { return pool_; }

  std::string metrics_url() const {
    return metrics_endpoint_ == nullptr ? "" : metrics_endpoint_->url();
  }

  absl::Status Drain(std::chrono::milliseconds timeout) {
    const auto start = std::chrono::steady_clock::now();
    server_->GetHealthCheckService()->Shutdown();
    admission_.StartDraining();
    const std::size_t running = WaitForCalls(start, timeout);
    std::this_thread::sleep_until(start + std::min(timeout, kLameDuckPeriod));
    CloseConnections(kCloseTimeout);
    return running == 0 ? absl::OkStatus()
                        : absl::DeadlineExceededError(
                              absl::StrCat(running,
                                           " calls were still running and were cut off; raise "
                                           "--drain-timeout to let them finish"));
  }

 private:
  // What gRPC and we hold together stays below one limit. gRPC reads a message whole before
  // it looks at its size or asks us, so that only its own quota can bound what arrives.
  // Messages remain in its memory until they are answered; what we make of them is taken
  // from the quota.
  void BoundTransportMemory(grpc::ServerBuilder& builder, std::uint64_t max_in_flight_bytes) {
    const std::uint64_t limit = max_in_flight_bytes + kTransportRoom;
    transport_quota_.Resize(limit);
    builder.SetResourceQuota(transport_quota_);
    admission_.ObserveMadeBytes(
        [this, limit](std::uint64_t made_bytes) { transport_quota_.Resize(limit - made_bytes); });
  }

  absl::Status ReportServing(const Options& options, const std::vector<int>& ports) {
    for (std::size_t i = 0; i < ports.size(); ++i) {
      addresses_.push_back(WithPort(BindAddress(options.listen[i]), ports[i]));
    }
    grpc::HealthCheckServiceInterface& health = *server_->GetHealthCheckService();
    health.SetServingStatus("", true);
    health.SetServingStatus(std::string(wire::kServiceName), true);
    return absl::OkStatus();
  }

  // Waits until all calls have ended, also those that are still being uploaded. Returns
  // how many have not within `timeout`. Ends quiet streams.
  std::size_t WaitForCalls(std::chrono::steady_clock::time_point start,
                           std::chrono::milliseconds timeout) {
    const auto deadline = start + timeout;
    const auto quiet_period = std::min(kMaxQuietPeriod, timeout / 2);
    TransportCalls::Settled settled;
    while (true) {
      const auto now = std::chrono::steady_clock::now();
      const auto next_look = std::min(deadline, now + kDrainInterval);
      const bool idle = admission_.WaitUntilIdle(next_look);
      const std::size_t open = transport_calls_.CountOpen(settled);
      if (idle && open == 0) {
        return 0;
      }
      if (now >= deadline) {
        return std::max(open, admission_.open_calls());
      }
      open_streams_.EndQuietSince(now - quiet_period);
      std::this_thread::sleep_until(next_look);
    }
  }

  // Shuts gRPC down. Calls that are still running after `timeout` are cut off.
  void CloseConnections(std::chrono::milliseconds timeout) {
    if (server_ != nullptr) {
      server_->Shutdown(std::chrono::system_clock::now() + timeout);
      server_->Wait();
    }
  }

  Metrics metrics_;
  OpenStreams open_streams_;
  MemoryRelease memory_release_;
  core::WorkerPool pool_;
  grpc::ResourceQuota transport_quota_{"quantd"};
  Admission admission_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  QuantizationService service_;
  TransportCalls transport_calls_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> addresses_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, Log* log) {
  RETURN_IF_ERROR(core::ForceSimdTarget(options.simd_target));
  auto impl = std::make_unique<Impl>(options, log);
  RETURN_IF_ERROR(impl->ServeMetrics(options));
  RETURN_IF_ERROR(impl->ServeCalls(options));
  return absl::WrapUnique(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

const std::vector<std::string>& Server::addresses() const { return impl_->addresses(); }
std::string Server::metrics_url() const { return impl_->metrics_url(); }
core::WorkerPool& Server::worker_pool() { return impl_->worker_pool(); }
absl::Status Server::Drain(std::chrono::milliseconds timeout) { return impl_->Drain(timeout); }

}  // namespace quantd::server
