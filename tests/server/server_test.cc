#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "tests/server/busy_pool.h"
#include "tests/server/call_error.h"
#include "tests/server/http_client.h"
#include "tests/server/raw_call.h"
#include "tests/server/running_server.h"
#include "tests/server/socket_path.h"
#include "tests/wait_until.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr char kReflectionMethod[] =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
// A ServerReflectionRequest with list_services = "".
constexpr char kListServices[] = "\x3a";

std::string ListServicesRequest() { return {kListServices, sizeof(kListServices)}; }

TEST(Server, ServesOnEveryAddressAndReportsTheActualPorts) {
  const SocketPath socket_path;
  Options options = OnFreePorts();
  options.listen = {"localhost:0", "127.0.0.1:0", socket_path.address()};
  const RunningServer running(options);
  ASSERT_EQ(running.server->addresses().size(), 3U);
  EXPECT_THAT(running.server->addresses()[0], MatchesRegex("localhost:[1-9][0-9]+"));
  EXPECT_THAT(running.server->addresses()[1], MatchesRegex("127[.]0[.]0[.]1:[1-9][0-9]+"));
  EXPECT_EQ(running.server->addresses()[2], socket_path.address());
  for (const std::string& address : running.server->addresses()) {
    const grpc::Status status = AskForInfo(ConnectTo(address));
    EXPECT_TRUE(status.ok()) << address << ": " << status.error_message();
  }
}

TEST(Server, ErrorsNameAnAddressThatIsInUse) {
  RunningServer first;
  Options options = OnFreePorts();
  options.listen = {"localhost:0", first.server->addresses().front()};
  const auto second = Server::Start(options, &first.log);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first.server->addresses().front()));
  EXPECT_TRUE(AskForInfo(first.channel).ok());
}

TEST(Server, ReplacesTheSocketFileOfADeadServer) {
  const SocketPath socket_path;
  AbandonSocket(socket_path.path());
  ASSERT_TRUE(std::filesystem::exists(socket_path.path()));
  Options options = OnFreePorts();
  options.listen = {socket_path.address()};
  const RunningServer running(options);
  EXPECT_TRUE(AskForInfo(running.channel).ok());
}

TEST(Server, DoesNotReplaceTheSocketOfARunningServer) {
  const SocketPath socket_path;
  Options options = OnFreePorts();
  options.listen = {socket_path.address()};
  RunningServer first(options);
  const auto second = Server::Start(options, &first.log);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(socket_path.address()));
  EXPECT_TRUE(AskForInfo(ConnectTo(socket_path.address())).ok());
}

TEST(Server, RejectsAnUnsupportedInstructionSet) {
  Options options = OnFreePorts();
  options.simd_target = "NOSUCH";
  LogText text;
  Log log(LogLevel::kInfo, LogFormat::kText, text);
  EXPECT_THAT(std::string(Server::Start(options, &log).status().message()), HasSubstr("NOSUCH"));
}

TEST(Server, ServesMetricsOfItsTraffic) {
  const RunningServer running(OnFreePortsWithMetrics());
  ASSERT_TRUE(AskForInfo(running.channel).ok());
  ASSERT_TRUE(AskForInfo(running.channel).ok());
  EXPECT_THAT(HttpGet(running.server->metrics_url()),
              HasSubstr("grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"GetServerInfo\","
                        "grpc_service=\"quantd.v1.QuantizationService\",grpc_type=\"unary\"} 2\n"));
}

TEST(Server, ServesNoMetricsIfTheyAreDisabled) {
  const RunningServer running(OnFreePorts());
  EXPECT_EQ(running.server->metrics_url(), "");
  EXPECT_TRUE(AskForInfo(running.channel).ok());
}

TEST(Server, ListsItsServiceByReflectionUnlessDisabled) {
  const RunningServer with;
  Options options = OnFreePorts();
  options.reflection = false;
  const RunningServer without(options);
  EXPECT_THAT(RawStreamCall(with.channel, kReflectionMethod, ListServicesRequest()).message,
              HasSubstr("quantd.v1.QuantizationService"));
  EXPECT_EQ(
      RawStreamCall(without.channel, kReflectionMethod, ListServicesRequest()).status.error_code(),
      grpc::StatusCode::UNIMPLEMENTED);
}

TEST(Server, ReplacesOldConnectionsWithoutEndingTheirCalls) {
  Options options = OnFreePorts();
  options.max_connection_age = std::chrono::milliseconds(100);
  const RunningServer running(options);
  const auto stub = v1::QuantizationService::NewStub(running.channel);
  grpc::ClientContext context;
  const auto stream = stub->StreamFakeQuantize(&context);
  v1::FakeQuantizeResponse response;
  ASSERT_TRUE(stream->Write(PerTensorRequest(3)));
  ASSERT_TRUE(stream->Read(&response));

  EXPECT_TRUE(running.channel->WaitForStateChange(
      GRPC_CHANNEL_READY, std::chrono::system_clock::now() + std::chrono::minutes(1)));
  EXPECT_TRUE(stream->Write(PerTensorRequest(5)));
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.output().shape(0), 5);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  grpc::ClientContext next_context;
  next_context.set_wait_for_ready(true);
  v1::GetServerInfoResponse info;
  EXPECT_TRUE(stub->GetServerInfo(&next_context, {}, &info).ok());
}

TEST(Server, AcceptsATensorOf64MiBInOneCallByDefault) {
  const RunningServer running;
  constexpr std::size_t kElements = (std::size_t{64} << 20) / sizeof(float);
  grpc::ClientContext context;
  v1::FakeQuantizeResponse response;
  const grpc::Status status = v1::QuantizationService::NewStub(running.channel)
                                  ->FakeQuantize(&context, PerTensorRequest(kElements), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.output().data().size(), kElements * sizeof(float));
}

TEST(Server, RejectsSlightlyTooLargeMessagesWithDetailsAndFarTooLargeOnesWithout) {
  Options options = OnFreePorts();
  options.max_message_bytes = 1024;
  const RunningServer running(options);
  const auto stub = v1::QuantizationService::NewStub(running.channel);
  const auto refusal = [&](std::size_t bytes) {
    grpc::ClientContext context;
    v1::FakeQuantizeResponse response;
    return ErrorOf(
        stub->FakeQuantize(&context, PerTensorRequest(bytes / sizeof(float)), &response));
  };
  const CallError a_little = refusal(std::size_t{1} << 20);
  EXPECT_EQ(a_little.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(a_little.reason, "MESSAGE_TOO_LARGE");
  EXPECT_EQ(a_little.metadata.at("max_message_bytes"), "1024");
  EXPECT_EQ(refusal(std::size_t{65} << 20).code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(AskForInfo(running.channel).ok());
}

TEST(Server, FinishesARunningCallDuringADrain) {
  Options options = OnFreePortsWithMetrics();
  options.worker_threads = 1;
  const RunningServer running(options);
  BusyPool busy(running.server->worker_pool());
  // Large enough for a worker.
  constexpr std::size_t kElements = (std::size_t{4} << 20) / sizeof(float);
  auto call = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    v1::FakeQuantizeResponse response;
    return v1::QuantizationService::NewStub(running.channel)
        ->FakeQuantize(&context, PerTensorRequest(kElements), &response);
  });
  ASSERT_TRUE(WaitUntil([&] {
    return HttpGet(running.server->metrics_url()).find("\nquantd_in_flight_requests 1\n") !=
           std::string::npos;
  }));
  auto drain = std::async(std::launch::async,
                          [&] { return running.server->Drain(std::chrono::minutes(1)); });
  ASSERT_TRUE(WaitUntil([&] { return !AskForInfo(running.channel).ok(); }))
      << "a draining server refuses new calls";
  EXPECT_EQ(call.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  busy.Release();
  const absl::Status drained = drain.get();
  EXPECT_TRUE(drained.ok()) << drained;
  const grpc::Status status = call.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

// Opens a stream and waits for the answer to its first request.
std::unique_ptr<grpc::ClientReaderWriter<v1::FakeQuantizeRequest, v1::FakeQuantizeResponse>>
OpenStream(const RunningServer& running, grpc::ClientContext& context) {
  auto stream = v1::QuantizationService::NewStub(running.channel)->StreamFakeQuantize(&context);
  v1::FakeQuantizeResponse response;
  EXPECT_TRUE(stream->Write(PerTensorRequest(3)) && stream->Read(&response));
  return stream;
}

TEST(Server, DrainDoesNotWaitForQuietStreams) {
  const RunningServer running;
  grpc::ClientContext context;
  const auto stream = OpenStream(running, context);
  v1::FakeQuantizeResponse response;
  const absl::Status drained = running.server->Drain(std::chrono::seconds(6));
  EXPECT_TRUE(drained.ok()) << drained;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ErrorOf(stream->Finish()).reason, "SHUTTING_DOWN");
}

TEST(Server, CutsOffRunningCallsAtTheEndOfADrain) {
  const RunningServer running;
  grpc::ClientContext context;
  const auto stream = OpenStream(running, context);
  v1::FakeQuantizeResponse response;
  // Sends requests continuously, so that the stream is never quiet.
  std::thread client([&] {
    while (stream->Write(PerTensorRequest(3)) && stream->Read(&response)) {
    }
  });
  const absl::Status drained = running.server->Drain(std::chrono::seconds(4));
  EXPECT_EQ(drained.code(), absl::StatusCode::kDeadlineExceeded);
  client.join();
  EXPECT_FALSE(stream->Finish().ok());
}

TEST(Server, IsUnavailableAfterADrain) {
  const RunningServer running;
  ASSERT_TRUE(running.server->Drain(std::chrono::minutes(1)).ok());
  EXPECT_EQ(AskForInfo(running.channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace quantd::server
