#include "server/telemetry/grpc_log.h"

#include <gmock/gmock.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/server/log_text.h"

namespace quantd::server {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class GrpcLogTest : public testing::Test {
 protected:
  // A server sets this when it initializes gRPC.
  GrpcLogTest() { gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR); }
};

TEST_F(GrpcLogTest, WritesTheLinesOfGrpcInTheFormatOfTheLog) {
  LogText text;
  Log log(LogLevel::kInfo, LogFormat::kJson, text);
  const GrpcLog grpc_log(&log);
  gpr_log(GPR_ERROR, "cannot \"listen\" on\nport %d", 7);
  const auto line = nlohmann::json::parse(text.str());
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["event"], "gRPC");
  EXPECT_THAT(line["file"].get<std::string>(), EndsWith("grpc_log_test.cc"));
  EXPECT_GT(line["line"], 0);
  EXPECT_EQ(line["message"], "cannot \"listen\" on\nport 7");
}

TEST_F(GrpcLogTest, SumsUpLinesThatRepeat) {
  LogText text;
  {
    Log log(LogLevel::kInfo, LogFormat::kText, text);
    const GrpcLog grpc_log(&log);
    for (int i = 0; i < 1000; ++i) {
      gpr_log(GPR_ERROR, "again %d", i);
    }
  }
  const std::string lines = text.str();
  EXPECT_LT(std::ranges::count(lines, '\n'), 500);
  EXPECT_THAT(lines, HasSubstr(" suppressed="));
}

TEST_F(GrpcLogTest, DropsLinesAfterItsEnd) {
  LogText text;
  {
    Log log(LogLevel::kInfo, LogFormat::kText, text);
    { const GrpcLog grpc_log(&log); }
    gpr_log(GPR_ERROR, "too late");
    const GrpcLog next(&log);
    gpr_log(GPR_ERROR, "in time");
  }
  EXPECT_THAT(text.str(), Not(HasSubstr("too late")));
  EXPECT_THAT(text.str(), HasSubstr("in time"));
}

}  // namespace
}  // namespace quantd::server
