#include "server/telemetry/call_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/base/error.h"
#include "tests/server/log_text.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

CallRecord FailedCall() {
  return {.method = "FakeQuantize",
          .status = core::InvalidArgument(core::ErrorReason::kInvalidNumBits,
                                          "num_bits is \"17\";\nexpected 2..16",
                                          {.field = "spec.num_bits"}),
          .peer = "ipv4:127.0.0.1:41234",
          .request_bytes = 123,
          .duration = std::chrono::milliseconds(250)};
}

CallRecord SuccessfulCall() {
  return {.method = "GetServerInfo",
          .status = absl::OkStatus(),
          .peer = "unix:",
          .request_bytes = 0,
          .duration = std::chrono::milliseconds(1)};
}

TEST(CallLog, WritesAFailedCallAsOneJsonObject) {
  LogText out;
  Log log(LogLevel::kInfo, LogFormat::kJson, out);
  LogCall(log, FailedCall());
  const auto line = nlohmann::json::parse(out.str());
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "call failed");
  EXPECT_EQ(line["method"], "FakeQuantize");
  EXPECT_EQ(line["code"], "InvalidArgument");
  EXPECT_EQ(line["reason"], "INVALID_NUM_BITS");
  EXPECT_EQ(line["field"], "spec.num_bits");
  EXPECT_EQ(line["message"], "num_bits is \"17\";\nexpected 2..16");
  EXPECT_EQ(line["peer"], "ipv4:127.0.0.1:41234");
  EXPECT_EQ(line["request_bytes"], 123);
  EXPECT_EQ(line["seconds"], 0.25);
  EXPECT_THAT(line["time"].get<std::string>(),
              MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+[.][0-9]+Z"));
}

TEST(CallLog, WritesAFailedCallAsOneLineOfText) {
  LogText out;
  Log log(LogLevel::kInfo, LogFormat::kText, out);
  LogCall(log, FailedCall());
  const std::string line = out.str();
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  EXPECT_THAT(
      line,
      HasSubstr(" level=warning event=\"call failed\" method=FakeQuantize "
                "code=InvalidArgument reason=INVALID_NUM_BITS field=spec.num_bits "
                "message=\"num_bits is \\\"17\\\";\\nexpected 2..16\" "
                "peer=ipv4:127.0.0.1:41234 caller=anonymous request_bytes=123 seconds=0.25\n"));
}

TEST(CallLog, WritesSuccessesOnlyAtDebugLevel) {
  LogText out;
  Log info(LogLevel::kInfo, LogFormat::kText, out);
  LogCall(info, SuccessfulCall());
  EXPECT_EQ(out.str(), "");
  Log debug(LogLevel::kDebug, LogFormat::kText, out);
  LogCall(debug, SuccessfulCall());
  EXPECT_THAT(out.str(), HasSubstr("level=debug event=\"call\" method=GetServerInfo code=OK"));
}

TEST(CallLog, LogsFaultsOfTheServerAsErrors) {
  EXPECT_EQ(CallLogLevel(absl::StatusCode::kInternal), LogLevel::kError);
  EXPECT_EQ(CallLogLevel(absl::StatusCode::kInvalidArgument), LogLevel::kWarning);
  EXPECT_EQ(CallLogLevel(absl::StatusCode::kUnavailable), LogLevel::kWarning);
  EXPECT_EQ(CallLogLevel(absl::StatusCode::kOk), LogLevel::kDebug);
}

TEST(CallLog, LeavesOutCallsBelowItsLevel) {
  LogText out;
  Log log(LogLevel::kError, LogFormat::kText, out);
  LogCall(log, FailedCall());
  EXPECT_EQ(out.str(), "");
}

TEST(CallLog, SumsUpFailuresThatRepeatAndKeepsOthersApart) {
  LogText out;
  {
    Log log(LogLevel::kInfo, LogFormat::kText, out);
    for (int i = 0; i < 1000; ++i) {
      LogCall(log, FailedCall());
    }
    CallRecord other = FailedCall();
    other.method = "Quantize";
    LogCall(log, other);
  }
  const std::string text = out.str();
  EXPECT_LT(std::ranges::count(text, '\n'), 100);
  EXPECT_THAT(text, HasSubstr("method=FakeQuantize code=InvalidArgument reason=INVALID_NUM_BITS "
                              "suppressed="));
  EXPECT_THAT(text, HasSubstr("method=Quantize code=InvalidArgument reason=INVALID_NUM_BITS "
                              "field=spec.num_bits"));
}

}  // namespace
}  // namespace quantd::server
