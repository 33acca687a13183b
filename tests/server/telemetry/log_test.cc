#include "server/telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/log_text.h"
#include "tests/wait_until.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

std::vector<std::string> LinesOf(const LogText& text) {
  std::istringstream stream(text.str());
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

TEST(Log, WritesOneLinePerEventInEitherFormat) {
  LogText text;
  Log(LogLevel::kInfo, LogFormat::kText, text)
      .Write(LogLevel::kWarning, "an event",
             {{"name", std::string("a value")}, {"count", std::int64_t{3}}, {"seconds", 0.25}});
  EXPECT_THAT(text.str(), MatchesRegex("time=[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+[.][0-9]+Z "
                                       "level=warning event=\"an event\" name=\"a value\" count=3 "
                                       "seconds=0.25\n"));
  LogText json;
  Log(LogLevel::kInfo, LogFormat::kJson, json)
      .Write(LogLevel::kWarning, "an event",
             {{"name", std::string("a value")}, {"count", std::int64_t{3}}, {"seconds", 0.25}});
  const auto line = nlohmann::json::parse(json.str());
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "an event");
  EXPECT_EQ(line["name"], "a value");
  EXPECT_EQ(line["count"], 3);
  EXPECT_EQ(line["seconds"], 0.25);
}

TEST(Log, AcceptsBytesThatAreNotUtf8) {
  LogText text;
  Log log(LogLevel::kInfo, LogFormat::kJson, text);
  log.Write(LogLevel::kInfo, "event", {{"bytes", std::string("a\xff z")}});
  EXPECT_EQ(nlohmann::json::parse(text.str())["bytes"], "a\xef\xbf\xbd z");
}

TEST(Log, DoesNotTreatBracesAsPlaceholders) {
  LogText text;
  Log log(LogLevel::kInfo, LogFormat::kText, text);
  log.Write(LogLevel::kInfo, "event", {{"text", std::string("{} {0} %v")}});
  EXPECT_THAT(text.str(), HasSubstr("text=\"{} {0} %v\""));
}

TEST(Log, ChangesItsLevelWhileItIsInUse) {
  LogText text;
  Log log(LogLevel::kError, LogFormat::kText, text);
  log.Write(LogLevel::kInfo, "before", {});
  log.SetLevel(LogLevel::kDebug);
  log.Write(LogLevel::kDebug, "after", {});
  EXPECT_THAT(text.str(), Not(HasSubstr("before")));
  EXPECT_THAT(text.str(), HasSubstr("after"));
}

TEST(Log, SumsUpEventsThatRepeatTooOften) {
  LogText text;
  Log log(LogLevel::kInfo, LogFormat::kJson, text);
  constexpr std::int64_t kEvents = 1000;
  for (std::int64_t i = 0; i < kEvents; ++i) {
    log.WriteLimited(LogLevel::kWarning, "event", {{"kind", std::string("a")}}, {{"number", i}});
  }
  // A slow machine may need several intervals for all events: every event is accounted for.
  const auto accounted_for = [&text] {
    std::int64_t events = 0;
    for (const std::string& line : LinesOf(text)) {
      const auto json = nlohmann::json::parse(line);
      EXPECT_EQ(json["level"], "warning");
      EXPECT_EQ(json["event"], "event");
      EXPECT_EQ(json["kind"], "a");
      events += json.contains("suppressed") ? json["suppressed"].get<std::int64_t>() : 1;
    }
    return events;
  };
  EXPECT_TRUE(WaitUntil([&] { return accounted_for() == kEvents; })) << text.str();
  EXPECT_LT(LinesOf(text).size(), kEvents / 2);
}

TEST(Log, SumsUpAtItsEnd) {
  LogText text;
  {
    Log log(LogLevel::kInfo, LogFormat::kText, text);
    for (std::size_t i = 0; i < RepetitionLimit::kMaxOfGroup + 5; ++i) {
      log.WriteLimited(LogLevel::kInfo, "event", {{"kind", std::string("a")}}, {});
    }
  }
  EXPECT_THAT(LinesOf(text).back(), HasSubstr("level=info event=\"event\" kind=a suppressed="));
}

TEST(Log, TakesEventsFromManyThreads) {
  LogText text;
  {
    Log log(LogLevel::kInfo, LogFormat::kText, text);
    std::vector<std::jthread> threads;
    for (std::int64_t thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&log, thread] {
        for (int i = 0; i < 200; ++i) {
          log.Write(LogLevel::kInfo, "event", {{"thread", thread}});
          log.WriteLimited(LogLevel::kInfo, "limited", {{"thread", thread}}, {});
        }
      });
    }
  }
  const std::vector<std::string> lines = LinesOf(text);
  EXPECT_EQ(std::ranges::count_if(
                lines, [](const auto& line) { return line.find("\"event\"") != line.npos; }),
            8 * 200);
  for (const std::string& line : lines) {
    EXPECT_THAT(line, MatchesRegex("time=[^ ]+ level=info event=\"[a-z]+\" thread=[0-7]"
                                   "( suppressed=[0-9]+)?"));
  }
}

}  // namespace
}  // namespace quantd::server
