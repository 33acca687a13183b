// Tests successful calls, metrics and the log.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/ask.h"
#include "tests/server/running_service.h"
#include "tests/wait_until.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string CallLine(const std::string& name, const std::string& labels, int value) {
  return name + "{" + labels +
         "grpc_method=\"FakeQuantize\",grpc_service=\"quantd.v1.QuantizationService\","
         "grpc_type=\"unary\"} " +
         std::to_string(value) + "\n";
}

TEST(Service, ReturnsTheAnswerOfTheHandler) {
  RunningService running;
  const OperationContext context{.pool = &running.pool, .metrics = &running.metrics};
  // The first request is answered inline, the second on the pool.
  for (const std::size_t count : {std::size_t{10}, std::size_t{500'000}}) {
    const v1::FakeQuantizeRequest request = PerTensorRequest(count);
    grpc::ClientContext client_context;
    v1::FakeQuantizeResponse response;
    const grpc::Status status = running.stub->FakeQuantize(&client_context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.SerializeAsString(), Ask(request, context)->SerializeAsString());
  }
}

TEST(Service, AnswersGradients) {
  RunningService running;
  const OperationContext context{.pool = &running.pool, .metrics = &running.metrics};
  const v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  grpc::ClientContext client_context;
  v1::FakeQuantizeGradientResponse response;
  const grpc::Status status =
      running.stub->FakeQuantizeGradient(&client_context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.SerializeAsString(), Ask(request, context)->SerializeAsString());
}

TEST(Service, AcceptsScalarsAndEmptyTensors) {
  const RunningService running;
  v1::FakeQuantizeRequest scalar = PerTensorRequest(1);
  scalar.mutable_input()->clear_shape();
  EXPECT_TRUE(running.FakeQuantize(scalar).ok());

  v1::FakeQuantizeRequest empty = PerTensorRequest(0);
  grpc::ClientContext context;
  v1::FakeQuantizeResponse response;
  const grpc::Status status = running.stub->FakeQuantize(&context, empty, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(response.output().has_data());
  EXPECT_THAT(response.output().data(), IsEmpty());
}

TEST(Service, ReportsItsLimits) {
  const RunningService running;
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(running.stub->GetServerInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.max_message_bytes(), RunningService::kMaxMessageBytes);
  EXPECT_EQ(info.max_in_flight_bytes(), RunningService::kMaxInFlightBytes);
  EXPECT_EQ(info.worker_threads(), 1U);
}

TEST(Service, CountsACallBeforeItsAnswerArrives) {
  const RunningService running;
  v1::FakeQuantizeRequest bad = PerTensorRequest(1);
  bad.clear_range();
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(running.FakeQuantize(PerTensorRequest(1)).ok());
    ASSERT_FALSE(running.FakeQuantize(bad).ok());
    const std::string text = running.metrics.Text();
    EXPECT_THAT(text, HasSubstr(CallLine("grpc_server_started_total", "", 2 * i)));
    EXPECT_THAT(text, HasSubstr(CallLine("grpc_server_msg_received_total", "", 2 * i)));
    EXPECT_THAT(text, HasSubstr(CallLine("grpc_server_msg_sent_total", "", i)));
    EXPECT_THAT(text, HasSubstr(CallLine("grpc_server_handling_seconds_count", "", 2 * i)));
    EXPECT_THAT(text, HasSubstr(CallLine("grpc_server_handled_total", "grpc_code=\"OK\",", i)));
    EXPECT_THAT(text, HasSubstr(CallLine("grpc_server_handled_total",
                                         "grpc_code=\"InvalidArgument\",", i)));
    EXPECT_THAT(text, HasSubstr("quantd_rejected_requests_total{reason=\"PARAMETERS_MISMATCH\"} " +
                                std::to_string(i) + "\n"));
    EXPECT_THAT(text, HasSubstr("quantd_in_flight_requests 0\n"));
    // The memory is held until the answer has been written.
    EXPECT_TRUE(WaitUntil([&] { return running.admission.load().bytes == 0; }));
  }
}

TEST(Service, LogsAFailedCallWithItsPeerButWithoutItsTensor) {
  const RunningService running;
  v1::FakeQuantizeRequest bad = PerTensorRequest(1);
  bad.mutable_input()->set_data("secret!");
  ASSERT_FALSE(running.FakeQuantize(bad).ok());
  const std::string log = running.log_text.str();
  EXPECT_THAT(log, HasSubstr("level=warning event=\"call failed\" method=FakeQuantize "
                             "code=InvalidArgument reason=TENSOR_SIZE_MISMATCH field=input.data"));
  EXPECT_THAT(log, HasSubstr("127.0.0.1"));
  EXPECT_THAT(log, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace quantd::server
