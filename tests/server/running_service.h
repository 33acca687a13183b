// Runs a QuantizationService behind a real channel, and gives tests access to its parts.

#ifndef QUANTD_TESTS_SERVER_RUNNING_SERVICE_H_
#define QUANTD_TESTS_SERVER_RUNNING_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quantd/v1/quantization_service.grpc.pb.h"
#include "server/calls/admission.h"
#include "server/calls/open_streams.h"
#include "server/quantization_service.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "tests/server/log_text.h"

namespace quantd::server {

// Returns a separate channel to `address`, without limits.
inline std::shared_ptr<grpc::Channel> ConnectTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

struct RunningService {
  static constexpr std::uint64_t kMaxMessageBytes = std::uint64_t{4} << 20;
  static constexpr std::uint64_t kMaxInFlightBytes = std::uint64_t{8} << 20;

  // A message waits for room for up to `max_wait`.
  explicit RunningService(std::chrono::milliseconds max_wait = std::chrono::milliseconds(0))
      : service({.max_message_bytes = kMaxMessageBytes,
                 .max_wait = max_wait,
                 .admission = &admission,
                 .access_control = nullptr,
                 .open_streams = &open_streams,
                 .pool = &pool,
                 .metrics = &metrics,
                 .log = &log},
                {.max_message_bytes = kMaxMessageBytes,
                 .max_in_flight_bytes = kMaxInFlightBytes,
                 .worker_threads = 1}) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    // The service itself rejects messages that are too large.
    builder.SetMaxReceiveMessageSize(-1);
    builder.RegisterService(&service);
    grpc_server = builder.BuildAndStart();
    channel = ConnectTo("127.0.0.1:" + std::to_string(port));
    stub = v1::QuantizationService::NewStub(channel);
  }

  // Reserves all memory but `bytes`, which only small messages can still have, for as
  // long as the result lives.
  std::vector<Admission::Reservation> OccupyAllBut(std::uint64_t bytes) {
    std::vector<Admission::Reservation> occupied;
    const std::uint64_t large = kMaxInFlightBytes / 16 * 15 - admission.load().bytes;
    occupied.push_back(*admission.Reserve({.made = large}));
    while (const std::uint64_t rest = kMaxInFlightBytes - admission.load().bytes - bytes) {
      occupied.push_back(*admission.Reserve({.made = std::min(rest, kMaxInFlightBytes / 256)}));
    }
    return occupied;
  }

  grpc::Status FakeQuantize(const v1::FakeQuantizeRequest& request) const {
    grpc::ClientContext context;
    v1::FakeQuantizeResponse response;
    return stub->FakeQuantize(&context, request, &response);
  }

  grpc::Status FakeQuantizeGradient(const v1::FakeQuantizeGradientRequest& request) const {
    grpc::ClientContext context;
    v1::FakeQuantizeGradientResponse response;
    return stub->FakeQuantizeGradient(&context, request, &response);
  }

  LogText log_text;
  Log log{LogLevel::kDebug, LogFormat::kText, log_text};
  Metrics metrics{"TEST", {}};
  // There is only one thread, so that a single task can keep calls waiting.
  core::WorkerPool pool{1};
  Admission admission{kMaxInFlightBytes, std::chrono::milliseconds(100),
                      [this](std::function<void()> task) { pool.Submit(std::move(task)); }};
  OpenStreams open_streams;
  QuantizationService service;
  std::unique_ptr<grpc::Server> grpc_server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::QuantizationService::Stub> stub;
};

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_RUNNING_SERVICE_H_
