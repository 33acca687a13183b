// Runs a complete Server on free ports.

#ifndef QUANTD_TESTS_SERVER_RUNNING_SERVER_H_
#define QUANTD_TESTS_SERVER_RUNNING_SERVER_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "server/server.h"
#include "tests/server/log_text.h"
#include "tests/server/running_service.h"

namespace quantd::server {

// Returns options without metrics.
inline Options OnFreePorts() {
  Options options;
  options.listen = {"localhost:0"};
  options.metrics_listen = "";
  options.worker_threads = 2;
  return options;
}

inline Options OnFreePortsWithMetrics() {
  Options options = OnFreePorts();
  options.metrics_listen = "localhost:0";
  return options;
}

struct RunningServer {
  explicit RunningServer(const Options& options = OnFreePorts()) {
    absl::StatusOr<std::unique_ptr<Server>> started = Server::Start(options, &log);
    EXPECT_TRUE(started.ok()) << started.status();
    server = started.ok() ? *std::move(started) : nullptr;
    channel = ConnectTo(server == nullptr ? "" : server->addresses().front());
  }

  LogText log_text;
  Log log{LogLevel::kInfo, LogFormat::kText, log_text};
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
};

// Calls GetServerInfo over `channel` and returns the status.
inline grpc::Status AskForInfo(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  return v1::QuantizationService::NewStub(channel)->GetServerInfo(&context, {}, &info);
}

}  // namespace quantd::server

#endif  // QUANTD_TESTS_SERVER_RUNNING_SERVER_H_
