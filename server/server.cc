#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <future>
#include <limits>
#include <thread>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/simd_target.h"
#include "core/worker_pool.h"
#include "server/access/access_control.h"
#include "server/access/reloaded_files.h"
#include "server/access/server_tls.h"
#include "server/calls/access_interceptor.h"
#include "server/calls/admission.h"
#include "server/calls/open_streams.h"
#include "server/calls/transport_calls.h"
#include "server/connections/acceptor.h"
#include "server/connections/connection_limits.h"
#include "server/connections/grpc_transport.h"
#include "server/connections/listening_socket.h"
#include "server/connections/transport_settings.h"
#include "server/memory.h"
#include "server/quantization_service.h"
#include "server/reflection.h"
#include "server/settings/server_limits.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/metrics_endpoint.h"
#include "wire/methods.h"

namespace quantd::server {
namespace {

// gRPC accepts messages that exceed the limit by this much, so that the service can
// refuse them with error details. gRPC refuses larger ones itself, without details.
constexpr std::uint64_t kReceiveMargin = std::uint64_t{64} << 20;

// The memory that gRPC may hold besides what is in flight: messages that arrive, or that
// are refused, and its own bookkeeping. Beyond it, gRPC closes idle connections and
// ends calls with RESOURCE_EXHAUSTED.
constexpr std::uint64_t kTransportRoom = std::uint64_t{32} << 20;

// The memory that the heap may take besides, before free memory is returned to the system
// for the sake of what is allocated, and before the connections that cost the most are
// broken off because that is not enough.
constexpr std::uint64_t kHeapRoom = std::uint64_t{32} << 20;

// What an open connection takes without calls. Thousands of these do not have to be broken off for
// it: their number has its own limit.
constexpr std::uint64_t kPlainConnectionBytes = std::uint64_t{16} << 10;
constexpr std::uint64_t kTlsConnectionBytes = std::uint64_t{72} << 10;

// How many aborted calls a connection may have in memory, some 13 KiB each, besides those that
// are open. An honest client that cancels all calls at once has as many as it may open.
constexpr std::uint64_t kMaxAbortedCalls = 1000;

// How long to wait for what is still open when no call is running: health watches,
// which never end on their own, and refusals that are being sent.
constexpr std::chrono::milliseconds kCloseTimeout{500};

// How long clients have to take note that their calls were cut off.
constexpr std::chrono::milliseconds kCutOffTimeout{300};

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

// Checks that nobody but this machine can call in plain text.
absl::Status CheckEncrypted(const Options& options, const ListeningSockets& listening) {
  if (options.insecure || !options.tls_cert.empty() || listening.public_addresses.empty()) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "other machines could call ", absl::StrJoin(listening.public_addresses, ", "),
      " without encryption; expected TLS (--tls-cert and --tls-key), or --insecure if something in "
      "front of the server encrypts or the network is trusted"));
}

ServerLimits LimitsOf(const Options& options, const ConnectionLimits& connections) {
  return {.max_message_bytes = options.max_message_bytes,
          .max_in_flight_bytes = options.max_in_flight_bytes,
          .worker_threads = options.worker_threads,
          .memory_limit_bytes = options.memory_limit,
          .max_connections = connections.connections};
}

}  // namespace

// The members are in order of their dependencies. The acceptor is destroyed first, and
// then the gRPC server, whose calls use all other members.
class Server::Impl {
 public:
  Impl(const Options& options, const ConnectionLimits& connection_limits, Log* log)
      : log_(log),
        connection_limits_(connection_limits),
        metrics_(core::ActiveSimdTarget(), LimitsOf(options, connection_limits), log),
        memory_release_(options.max_in_flight_bytes + kTransportRoom + kHeapRoom),
        pool_(options.worker_threads),
        admission_(options.max_in_flight_bytes, options.max_stall,
                   [this](std::function<void()> task) { pool_.Submit(std::move(task)); }),
        checks_calls_(!options.token_file.empty() || !options.policy_file.empty() ||
                      !options.tls_client_ca.empty()),
        service_({.max_message_bytes = options.max_message_bytes,
                  .max_wait = options.max_wait,
                  .admission = &admission_,
                  .access_control = access_control(),
                  .open_streams = &open_streams_,
                  .pool = &pool_,
                  .metrics = &metrics_,
                  .log = log},
                 LimitsOf(options, connection_limits)) {}

  ~Impl() { CloseConnections(std::chrono::milliseconds(0)); }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status ReadFiles(const Options& options) {
    if (!options.tls_cert.empty()) {
      RETURN_IF_ERROR(files_.Add(
          "certificates", {options.tls_cert, options.tls_key, options.tls_client_ca},
          [this](const std::vector<NamedText>& files) { return UseTlsIdentity(files); }));
    }
    if (!options.token_file.empty()) {
      RETURN_IF_ERROR(files_.Add("tokens", {options.token_file},
                                 [this](const std::vector<NamedText>& files) -> absl::Status {
                                   ASSIGN_OR_RETURN(
                                       BearerTokens tokens,
                                       BearerTokens::Parse(files.front().path, files.front().text));
                                   access_control_.SetTokens(std::move(tokens));
                                   return absl::OkStatus();
                                 }));
    }
    if (!options.policy_file.empty()) {
      RETURN_IF_ERROR(files_.Add("policy", {options.policy_file},
                                 [this](const std::vector<NamedText>& files) -> absl::Status {
                                   ASSIGN_OR_RETURN(
                                       AccessPolicy policy,
                                       AccessPolicy::Parse(files.front().path, files.front().text));
                                   access_control_.SetPolicy(std::move(policy));
                                   return absl::OkStatus();
                                 }));
    }
    files_.Start();
    return absl::OkStatus();
  }

  void ReloadFiles() { files_.Reload(); }

  absl::Status ServeMetrics(const Options& options) {
    if (options.metrics_listen.empty()) {
      return absl::OkStatus();
    }
    const MetricsAccess access =
        options.metrics_secure
            ? MetricsAccess{.tls = tls_.get(), .access_control = access_control()}
            : MetricsAccess{};
    ASSIGN_OR_RETURN(metrics_endpoint_,
                     MetricsEndpoint::Start(options.metrics_listen, access, &metrics_, log_));
    return absl::OkStatus();
  }

  absl::Status ServeCalls(const Options& options) {
    ASSIGN_OR_RETURN(ListeningSockets listening,
                     Listen(options.listen, "--listen", options.unix_socket_mode));
    RETURN_IF_ERROR(CheckEncrypted(options, listening));
    InitializeGrpc();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(ReceiveLimit(options.max_message_bytes));
    builder.SetMaxSendMessageSize(-1);
    ConfigureTransport(options, builder);
    BoundTransportMemory(builder, options);
    builder.SetOption(std::make_unique<ReflectionOption>(options.reflection));
    builder.RegisterService(&service_);
    GrpcTransport::Acceptors acceptors = {
        .plain = AddAcceptor(builder, grpc::InsecureServerCredentials())};
    if (tls_ != nullptr) {
      acceptors.tls = AddAcceptor(builder, tls_->MakeCredentials());
    }
    server_ = transport_calls_.Start(builder, InterceptorsOfOtherServices());
    if (server_ == nullptr) {
      return absl::InternalError("gRPC did not start");
    }
    ReportServing();
    addresses_ = std::move(listening.addresses);
    ASSIGN_OR_RETURN(acceptor_,
                     Acceptor::Start(std::move(listening.sockets), connection_limits_,
                                     std::make_unique<GrpcTransport>(
                                         std::move(acceptors), transport_calls_.statistics(),
                                         [this] { return memory_release_.SpareBytes(); }),
                                     &metrics_, log_));
    return absl::OkStatus();
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
  static GrpcTransport::GrpcAcceptor AddAcceptor(
      grpc::ServerBuilder& builder, const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    return builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  }

  // Null if everybody may call.
  const AccessControl* access_control() const { return checks_calls_ ? &access_control_ : nullptr; }

  TransportCalls::InterceptorFactories InterceptorsOfOtherServices() {
    TransportCalls::InterceptorFactories factories;
    if (checks_calls_) {
      factories.push_back(std::make_unique<AccessInterceptorFactory>(
          AccessGuard(access_control(), &metrics_, log_)));
    }
    return factories;
  }

  absl::Status UseTlsIdentity(const std::vector<NamedText>& files) {
    ASSIGN_OR_RETURN(TlsIdentity identity, MakeTlsIdentity(files[0], files[1], files[2]));
    metrics_.SetCertificateExpiry(identity.expires);
    if (identity.expires < std::chrono::system_clock::now()) {
      log_->Write(LogLevel::kWarning, "certificate has expired",
                  {{"file", files[0].path},
                   {"message", "clients will refuse it; expected one that is valid: renew it"}});
    }
    if (tls_ == nullptr) {
      tls_ = std::make_unique<ServerTls>(std::move(identity));
    } else {
      tls_->SetIdentity(std::move(identity));
    }
    return absl::OkStatus();
  }

  // What gRPC and we hold together stays below one limit. gRPC reads a message whole before
  // it looks at its size or asks us, so that only its own quota can bound what arrives.
  // Messages remain in its memory until they are answered; what we make of them is taken
  // from the quota.
  //
  // A quota that shrinks ends calls, but only after a while. It is therefore no larger than
  // half of the limit from the start, or than one message: in most cases, what is made has
  // room beside it.
  void BoundTransportMemory(grpc::ServerBuilder& builder, const Options& options) {
    const std::uint64_t limit = options.max_in_flight_bytes + kTransportRoom;
    const std::uint64_t most =
        std::min(limit, std::max(options.max_in_flight_bytes / 2, options.max_message_bytes) +
                            kTransportRoom);
    transport_quota_.Resize(most);
    builder.SetResourceQuota(transport_quota_);
    admission_.ObserveMadeBytes([this, limit, most](std::uint64_t made_bytes) {
      transport_quota_.Resize(std::min(most, limit - made_bytes));
    });
  }

  void ReportServing() {
    grpc::HealthCheckServiceInterface& health = *server_->GetHealthCheckService();
    health.SetServingStatus("", true);
    health.SetServingStatus(std::string(wire::kServiceName), true);
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

  // Shuts gRPC down. Calls that are still running are cut off, after `timeout` also those
  // whose clients do not read, and a little later their connections.
  //
  // gRPC would answer calls that arrive from then on with CANCELLED, which clients do not
  // retry. The end of their connection is UNAVAILABLE for them, so it comes first.
  void CloseConnections(std::chrono::milliseconds timeout) {
    const auto start = std::chrono::steady_clock::now();
    if (acceptor_ != nullptr) {
      acceptor_->Stop();
      acceptor_->CloseConnections(start + timeout);
    }
    if (server_ == nullptr) {
      return;
    }
    const std::future<void> closed = std::async(std::launch::async, [this] {
      server_->Shutdown(std::chrono::system_clock::now());
      server_->Wait();
    });
    if (closed.wait_until(start + timeout + kCutOffTimeout) == std::future_status::timeout) {
      acceptor_->BreakOffConnections();
    }
    closed.wait();
  }

  Log* const log_;
  const ConnectionLimits connection_limits_;
  Metrics metrics_;
  OpenStreams open_streams_;
  MemoryRelease memory_release_;
  core::WorkerPool pool_;
  grpc::ResourceQuota transport_quota_{"quantd"};
  Admission admission_;
  AccessControl access_control_;
  const bool checks_calls_;
  // Null if connections are in plain text.
  std::unique_ptr<ServerTls> tls_;
  ReloadedFiles files_{&metrics_, log_};
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  QuantizationService service_;
  TransportCalls transport_calls_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::string> addresses_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, Log* log) {
  RETURN_IF_ERROR(core::ForceSimdTarget(options.simd_target));
  ASSIGN_OR_RETURN(const std::uint64_t descriptors, RaiseDescriptorLimit());
  ASSIGN_OR_RETURN(ConnectionLimits limits,
                   DeriveConnectionLimits(descriptors, options.max_connections,
                                          options.max_connections_per_peer));
  limits.calls_in_memory = options.max_streams_per_connection + kMaxAbortedCalls;
  limits.connection_bytes = options.tls_cert.empty() ? kPlainConnectionBytes : kTlsConnectionBytes;
  log->Write(
      LogLevel::kInfo, "limits",
      {{"descriptors", static_cast<std::int64_t>(descriptors)},
       {"max_connections", static_cast<std::int64_t>(limits.connections)},
       {"max_connections_per_peer", static_cast<std::int64_t>(limits.connections_per_peer)}});
  auto impl = std::make_unique<Impl>(options, limits, log);
  RETURN_IF_ERROR(impl->ReadFiles(options));
  RETURN_IF_ERROR(impl->ServeMetrics(options));
  RETURN_IF_ERROR(impl->ServeCalls(options));
  return absl::WrapUnique(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

const std::vector<std::string>& Server::addresses() const { return impl_->addresses(); }
std::string Server::metrics_url() const { return impl_->metrics_url(); }
core::WorkerPool& Server::worker_pool() { return impl_->worker_pool(); }
void Server::ReloadFiles() { impl_->ReloadFiles(); }

absl::Status Server::Drain(std::chrono::milliseconds timeout) { return impl_->Drain(timeout); }

}  // namespace quantd::server
