#include "server/connections/refusal_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace quantd::server {
namespace {

using testing::HasSubstr;
using testing::Not;

class RefusalLogTest : public testing::Test {
 protected:
  void Report(ConnectionRefusal refusal) { refusals_.Report(refusal, "192.0.2.1", now_); }

  // What was written since the last call.
  std::string Text() {
    std::string text = text_.str();
    text_.str("");
    return text;
  }

  std::chrono::steady_clock::time_point now_;

 private:
  std::ostringstream text_;
  Log log_{LogLevel::kInfo, LogFormat::kText, text_};
  RefusalLog refusals_{&log_};
};

TEST_F(RefusalLogTest, SaysWhoWasRefusedWhyAndHowToFixIt) {
  Report(ConnectionRefusal::kTotalLimit);
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("level=warning event=\"connection refused\" reason=max_connections "
                              "peer=192.0.2.1 refused=1"));
  EXPECT_THAT(text, HasSubstr("raise --max-connections"));
}

TEST_F(RefusalLogTest, WritesOneLineInAnIntervalAndCountsTheOthers) {
  Report(ConnectionRefusal::kTotalLimit);
  Text();
  for (int i = 0; i < 1000; ++i) {
    Report(ConnectionRefusal::kTotalLimit);
  }
  EXPECT_EQ(Text(), "");
  now_ += kRefusalLogInterval;
  Report(ConnectionRefusal::kTotalLimit);
  EXPECT_THAT(Text(), HasSubstr("refused=1001"));
}

TEST_F(RefusalLogTest, KeepsReasonsApart) {
  Report(ConnectionRefusal::kTotalLimit);
  Report(ConnectionRefusal::kNoDescriptors);
  EXPECT_THAT(Text(), HasSubstr("reason=no_descriptors"));
}

}  // namespace
}  // namespace quantd::server
