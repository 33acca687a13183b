// Tests the standard health service, also during a drain.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/server/running_server.h"

namespace quantd::server {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr const char* kServices[] = {"", "quantd.v1.QuantizationService"};

HealthCheckRequest RequestFor(const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  return request;
}

TEST(Health, ReportsTheServerAndItsService) {
  const RunningServer running;
  const auto stub = Health::NewStub(running.channel);
  for (const char* service : kServices) {
    grpc::ClientContext context;
    HealthCheckResponse response;
    const grpc::Status status = stub->Check(&context, RequestFor(service), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << service;
  }
}

TEST(Health, ReturnsNotFoundForOtherServices) {
  const RunningServer running;
  grpc::ClientContext context;
  HealthCheckResponse response;
  EXPECT_EQ(Health::NewStub(running.channel)
                ->Check(&context, RequestFor("no.such.Service"), &response)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(Health, WatchersSeeTheDrainAndDoNotDelayIt) {
  for (const char* service : kServices) {
    const RunningServer running;
    grpc::ClientContext context;
    const auto watch = Health::NewStub(running.channel)->Watch(&context, RequestFor(service));
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);

    absl::Status drained;
    std::thread drain([&] { drained = running.server->Drain(std::chrono::minutes(1)); });
    EXPECT_TRUE(watch->Read(&response));
    EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
    // The stream stays open, but the drain ends nevertheless.
    drain.join();
    EXPECT_TRUE(drained.ok()) << drained;
    EXPECT_FALSE(watch->Read(&response));
    EXPECT_FALSE(watch->Finish().ok());
  }
}

}  // namespace
}  // namespace quantd::server
