#include "server/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"
#include "server/telemetry/log.h"
#include "tests/server/log_text.h"
#include "version.h"
#include "wire/methods.h"
#include "wire/operations.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;

constexpr const wire::Method& kFakeQuantize = wire::kMethods[wire::MethodIndex(
    wire::kOperationIndex<wire::FakeQuantize>, wire::Transfer::kUnary)];

constexpr char kLabels[] =
    "grpc_method=\"FakeQuantize\",grpc_service=\"quantd.v1.QuantizationService\","
    "grpc_type=\"unary\"} ";

std::string Line(const std::string& name, int value) {
  return name + "{" + kLabels + std::to_string(value) + "\n";
}

std::string HandledLine(const std::string& code, int value) {
  return "grpc_server_handled_total{grpc_code=\"" + code + "\"," + kLabels + std::to_string(value) +
         "\n";
}

TEST(Metrics, ContainEverySeriesFromTheStart) {
  const std::string text = Metrics("TEST", {}).Text();
  for (const char* code :
       {"OK", "Canceled", "InvalidArgument", "ResourceExhausted", "Unavailable", "Internal"}) {
    EXPECT_THAT(text, HasSubstr(HandledLine(code, 0)));
  }
  for (const core::NamedErrorReason& reason : core::kErrorReasons) {
    EXPECT_THAT(text, HasSubstr("quantd_rejected_requests_total{reason=\"" +
                                std::string(reason.name) + "\"} 0\n"));
  }
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_started_total", 0)));
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_handling_seconds_count", 0)));
}

TEST(Metrics, CountASuccessfulCall) {
  Metrics metrics("TEST", {});
  metrics.CallStarted(kFakeQuantize);
  metrics.MessageReceived(kFakeQuantize);
  metrics.MessageSent(kFakeQuantize);
  metrics.CallHandled(kFakeQuantize, absl::OkStatus(), Seconds(0.5));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_started_total", 1)));
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_msg_received_total", 1)));
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_msg_sent_total", 1)));
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_handling_seconds_count", 1)));
  EXPECT_THAT(text, HasSubstr(std::string("grpc_server_handling_seconds_sum{") + kLabels + "0.5"));
  EXPECT_THAT(text, HasSubstr(HandledLine("OK", 1)));
}

TEST(Metrics, CountARejectionByCodeAndReason) {
  Metrics metrics("TEST", {});
  metrics.CallHandled(kFakeQuantize,
                      core::InvalidArgument(core::ErrorReason::kInvalidRange, "wrong"), Seconds(0));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr(HandledLine("InvalidArgument", 1)));
  EXPECT_THAT(text, HasSubstr("quantd_rejected_requests_total{reason=\"INVALID_RANGE\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(Line("grpc_server_msg_sent_total", 0)));
}

TEST(Metrics, ShowWhatIsInFlight) {
  Metrics metrics("TEST", {});
  EXPECT_THAT(metrics.Text(), HasSubstr("quantd_in_flight_requests 0\n"));
  metrics.ReadLoadFrom([]() -> LoadFigures { return {.requests = 3, .bytes = 20, .waiting = 2}; });
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("quantd_in_flight_requests 3\n"));
  EXPECT_THAT(text, HasSubstr("quantd_in_flight_bytes 20\n"));
  EXPECT_THAT(text, HasSubstr("quantd_waiting_requests 2\n"));
}

TEST(Metrics, ShowTheLimits) {
  const std::string text = Metrics("TEST", {.max_message_bytes = 1 << 20,
                                            .max_in_flight_bytes = 1 << 22,
                                            .worker_threads = 3,
                                            .memory_limit_bytes = 1 << 24})
                               .Text();
  EXPECT_THAT(text, HasSubstr("\nquantd_max_message_bytes 1048576\n"));
  EXPECT_THAT(text, HasSubstr("\nquantd_max_in_flight_bytes 4194304\n"));
  EXPECT_THAT(text, HasSubstr("\nquantd_worker_threads 3\n"));
  EXPECT_THAT(text, HasSubstr("\nquantd_memory_limit_bytes 16777216\n"));
}

TEST(Metrics, DescribeTheBuild) {
  EXPECT_THAT(Metrics("TEST", {}).Text(),
              HasSubstr("quantd_build_info{revision=\"" + std::string(kRevision) +
                        "\",simd_target=\"TEST\",version=\"" + std::string(kVersion) + "\"} 1\n"));
}

TEST(Metrics, CountTheLogLinesThatWereDropped) {
  LogText text;
  const Log log(LogLevel::kInfo, LogFormat::kText, text);
  const Metrics metrics("TEST", {}, &log);
  EXPECT_THAT(metrics.Text(), HasSubstr("\nquantd_log_lines_dropped_total 0\n"));
  text.Drop(3);
  EXPECT_THAT(metrics.Text(), HasSubstr("\nquantd_log_lines_dropped_total 3\n"));
  text.Drop(2);
  EXPECT_THAT(metrics.Text(), HasSubstr("\nquantd_log_lines_dropped_total 5\n"));
}

TEST(Metrics, CountTheScrapes) {
  Metrics metrics("TEST", {});
  metrics.PageServed(100, std::chrono::microseconds(7));
  metrics.PageServed(50, std::chrono::microseconds(2));
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("\nexposer_transferred_bytes_total 150\n"));
  EXPECT_THAT(text, HasSubstr("\nexposer_scrapes_total 2\n"));
  EXPECT_THAT(text, HasSubstr("\nexposer_request_latencies_sum 9\n"));
}

}  // namespace
}  // namespace quantd::server
