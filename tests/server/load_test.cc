// Tests how a service behaves under too much load, and while it is stopping.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>

#include "tests/server/busy_pool.h"
#include "tests/server/call_error.h"
#include "tests/server/running_service.h"
#include "tests/wait_until.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

// Requests of this size are not answered on gRPC's own threads.
constexpr std::size_t kManyElements = 400'000;

TEST(Load, RejectsAMessageOverTheLimitWithBothSizes) {
  const RunningService running;
  const v1::FakeQuantizeRequest request =
      PerTensorRequest(RunningService::kMaxMessageBytes / sizeof(float));
  const grpc::Status status = running.FakeQuantize(request);
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(error.reason, "MESSAGE_TOO_LARGE");
  EXPECT_EQ(error.metadata.at("message_bytes"), std::to_string(request.ByteSizeLong()));
  EXPECT_EQ(error.metadata.at("max_message_bytes"),
            std::to_string(RunningService::kMaxMessageBytes));
}

TEST(Load, RejectsACallBeyondTheBytesInFlightWithARetryDelay) {
  RunningService running;
  auto others = running.OccupyAllBut(10);
  grpc::ClientContext context;
  v1::FakeQuantizeResponse response;
  const grpc::Status status =
      running.stub->FakeQuantize(&context, PerTensorRequest(100), &response);
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(error.domain, "quantd");
  EXPECT_EQ(error.reason, "IN_FLIGHT_LIMIT");
  EXPECT_TRUE(error.has_retry_delay);
  EXPECT_EQ(error.metadata.at("in_flight_bytes"),
            std::to_string(RunningService::kMaxInFlightBytes - 10));
  // gRPC's own retries wait as long as this says.
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto pushback = trailers.find("grpc-retry-pushback-ms");
  ASSERT_NE(pushback, trailers.end());
  EXPECT_EQ(std::string(pushback->second.data(), pushback->second.size()), "100");
  others.clear();
  EXPECT_TRUE(running.FakeQuantize(PerTensorRequest(100)).ok());
}

// Returns a request whose answer is sixteen times as large.
v1::DequantizeRequest GrowingRequest(std::size_t bytes) {
  v1::DequantizeRequest request;
  request.mutable_input()->set_data_type(v1::DATA_TYPE_INT2);
  request.mutable_input()->add_shape(static_cast<std::int64_t>(4 * bytes));
  request.mutable_input()->set_data(std::string(bytes, '\0'));
  request.mutable_affine()->add_scale(1);
  return request;
}

grpc::Status Dequantize(const RunningService& running, const v1::DequantizeRequest& request) {
  grpc::ClientContext context;
  v1::DequantizeResponse response;
  return running.stub->Dequantize(&context, request, &response);
}

TEST(Load, CountsTheBytesOfAnswersThatAreLargerThanTheirRequests) {
  RunningService running;
  auto others = running.OccupyAllBut(20'000);
  EXPECT_TRUE(Dequantize(running, GrowingRequest(500)).ok());
  const CallError error = ErrorOf(Dequantize(running, GrowingRequest(2000)));
  EXPECT_EQ(error.reason, "IN_FLIGHT_LIMIT");
  EXPECT_TRUE(error.has_retry_delay);
  others.clear();
  EXPECT_TRUE(Dequantize(running, GrowingRequest(2000)).ok());
}

TEST(Load, DoesNotAskToRetryACallWhoseAnswerNeverFits) {
  const RunningService running;
  const grpc::Status status =
      Dequantize(running, GrowingRequest(RunningService::kMaxInFlightBytes / 16));
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(error.reason, "MESSAGE_TOO_LARGE");
  EXPECT_FALSE(error.has_retry_delay);
  EXPECT_EQ(error.metadata.at("max_in_flight_bytes"),
            std::to_string(RunningService::kMaxInFlightBytes));
  EXPECT_GT(std::stoull(error.metadata.at("bytes")), RunningService::kMaxInFlightBytes);
}

TEST(Load, AnswersACallOnceThereIsRoomForIt) {
  RunningService running(std::chrono::minutes(1));
  auto others = running.OccupyAllBut(10);
  auto call = std::async(std::launch::async,
                         [&] { return running.FakeQuantize(PerTensorRequest(kManyElements)); });
  ASSERT_TRUE(WaitUntil([&] { return running.admission.load().waiting == 1; }));
  EXPECT_THAT(running.metrics.Text(), HasSubstr("quantd_waiting_requests 1\n"));
  EXPECT_EQ(call.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  others.clear();
  const grpc::Status status = call.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(Load, DoesNotKeepACallWaitingWhoseClientHasGone) {
  RunningService running(std::chrono::minutes(1));
  const auto others = running.OccupyAllBut(10);
  grpc::ClientContext context;
  auto call = std::async(std::launch::async, [&] {
    v1::FakeQuantizeResponse response;
    return running.stub->FakeQuantize(&context, PerTensorRequest(100), &response);
  });
  ASSERT_TRUE(WaitUntil([&] { return running.admission.load().waiting == 1; }));
  context.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(running.admission.WaitUntilIdle(steady_clock::now() + std::chrono::minutes(1)));
}

TEST(Load, CountsACallThatRanIntoItsDeadline) {
  RunningService running(std::chrono::minutes(1));
  const auto others = running.OccupyAllBut(10);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  v1::FakeQuantizeResponse response;
  EXPECT_EQ(running.stub->FakeQuantize(&context, PerTensorRequest(100), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(running.admission.WaitUntilIdle(steady_clock::now() + std::chrono::minutes(1)));
  EXPECT_THAT(running.metrics.Text(),
              HasSubstr("grpc_server_handled_total{grpc_code=\"DeadlineExceeded\","
                        "grpc_method=\"FakeQuantize\","
                        "grpc_service=\"quantd.v1.QuantizationService\",grpc_type=\"unary\"} 1\n"));
}

TEST(Load, RejectsEveryMethodWhileDraining) {
  RunningService running;
  running.admission.StartDraining();
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  for (const grpc::Status& status : {running.FakeQuantize(PerTensorRequest(1)),
                                     running.FakeQuantizeGradient(PerChannelGradientRequest()),
                                     running.stub->GetServerInfo(&context, {}, &info)}) {
    const CallError error = ErrorOf(status);
    EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE) << status.error_message();
    EXPECT_EQ(error.domain, "quantd");
    EXPECT_EQ(error.reason, "SHUTTING_DOWN");
  }
}

TEST(Load, AnswersSmallCallsWhileAllWorkersAreBusy) {
  RunningService running;
  BusyPool busy(running.pool);
  EXPECT_TRUE(running.FakeQuantize(PerTensorRequest(100)).ok());
}

TEST(Load, FinishesARunningCallWhileDraining) {
  RunningService running;
  BusyPool busy(running.pool);
  auto call = std::async(std::launch::async,
                         [&] { return running.FakeQuantize(PerTensorRequest(kManyElements)); });
  ASSERT_TRUE(WaitUntil([&] { return running.admission.load().requests == 1; }));
  EXPECT_THAT(running.metrics.Text(), HasSubstr("quantd_in_flight_requests 1\n"));

  running.admission.StartDraining();
  EXPECT_EQ(ErrorOf(running.FakeQuantize(PerTensorRequest(1))).reason, "SHUTTING_DOWN");
  EXPECT_FALSE(running.admission.WaitUntilIdle(steady_clock::now()));

  busy.Release();
  const grpc::Status status = call.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(running.admission.WaitUntilIdle(steady_clock::now() + std::chrono::minutes(1)));
  EXPECT_THAT(running.metrics.Text(), HasSubstr("quantd_in_flight_requests 0\n"));
}

TEST(Load, DoesNotComputeForAClientThatHasCancelled) {
  RunningService running;
  const std::string cancelled =
      "grpc_server_handled_total{grpc_code=\"Canceled\",grpc_method=\"FakeQuantize\"";
  const auto count = [&] {
    const std::string text = running.metrics.Text();
    return std::stoi(text.substr(text.find("} ", text.find(cancelled)) + 2));
  };
  // The server learns of the cancellation a little later, and sometimes too late.
  EXPECT_TRUE(WaitUntil([&] {
    BusyPool busy(running.pool);
    grpc::ClientContext context;
    auto call = std::async(std::launch::async, [&] {
      v1::FakeQuantizeResponse response;
      return running.stub->FakeQuantize(&context, PerTensorRequest(kManyElements), &response);
    });
    EXPECT_TRUE(WaitUntil([&] { return running.admission.load().requests == 1; }));
    context.TryCancel();
    EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_TRUE(running.FakeQuantize(PerTensorRequest(1)).ok());
    busy.Release();
    EXPECT_TRUE(running.admission.WaitUntilIdle(steady_clock::now() + std::chrono::minutes(1)));
    return count() > 0;
  }));
}

}  // namespace
}  // namespace quantd::server
