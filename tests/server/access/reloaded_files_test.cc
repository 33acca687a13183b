#include "server/access/reloaded_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include "tests/server/log_text.h"

namespace quantd::server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ReloadedFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::path(testing::TempDir()) / (std::string("reloaded_files_") + test->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }

  // Adds files whose texts are kept, unless the first of them is "bad".
  absl::Status Add(const std::vector<std::string>& paths) {
    return files_.Add("fruit", paths, [this](const std::vector<NamedText>& files) {
      std::vector<std::string> texts;
      for (const NamedText& file : files) {
        texts.push_back(file.text);
      }
      if (texts.front() == "bad") {
        return absl::InvalidArgumentError("it is bad");
      }
      used_.push_back(texts);
      return absl::OkStatus();
    });
  }

  std::filesystem::path folder_;
  LogText text_;
  Log log_{LogLevel::kInfo, LogFormat::kText, text_};
  Metrics metrics_{"TEST", {}};
  std::vector<std::vector<std::string>> used_;
  ReloadedFiles files_{&metrics_, &log_};
};

TEST_F(ReloadedFilesTest, AreUsedAtOnceAndWheneverOneOfThemHasChanged) {
  const std::string first = Write("first", "apple");
  const std::string second = Write("second", "pear");
  ASSERT_TRUE(Add({first, second, ""}).ok());
  EXPECT_THAT(used_, ElementsAre(ElementsAre("apple", "pear", "")));
  files_.Reload();
  EXPECT_EQ(used_.size(), 1U) << "nothing has changed";
  Write("second", "plum");
  files_.Reload();
  EXPECT_THAT(used_,
              ElementsAre(ElementsAre("apple", "pear", ""), ElementsAre("apple", "plum", "")));
  EXPECT_THAT(text_.str(), HasSubstr("event=\"files reloaded\" subject=fruit"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("quantd_file_reloads_total{result=\"used\"} 1"));
}

TEST_F(ReloadedFilesTest, AThreadLooksForChanges) {
  const std::string path = Write("file", "apple");
  std::promise<std::string> changed;
  ASSERT_TRUE(files_
                  .Add("fruit", {path},
                       [&](const std::vector<NamedText>& files) {
                         if (files.front().text != "apple") {
                           changed.set_value(files.front().text);
                         }
                         return absl::OkStatus();
                       })
                  .ok());
  files_.Start();
  Write("file.new", "pear");
  std::filesystem::rename(folder_ / "file.new", path);
  EXPECT_EQ(changed.get_future().get(), "pear");
}

TEST_F(ReloadedFilesTest, WhatCannotBeUsedIsReportedOnceAndTheRestGoesOn) {
  const std::string path = Write("file", "apple");
  ASSERT_TRUE(Add({path}).ok());
  Write("file", "bad");
  files_.Reload();
  const std::string log = text_.str();
  EXPECT_THAT(log, AllOf(HasSubstr("level=error event=\"cannot reload files\" subject=fruit"),
                         HasSubstr("it is bad; what was read before stays in use")));
  files_.Reload();
  EXPECT_EQ(text_.str(), log);
  EXPECT_THAT(metrics_.Text(), HasSubstr("quantd_file_reloads_total{result=\"refused\"} 1"));
  Write("file", "pear");
  files_.Reload();
  EXPECT_THAT(used_, ElementsAre(ElementsAre("apple"), ElementsAre("pear")));
}

TEST_F(ReloadedFilesTest, AFileThatIsGoneForAWhileStaysInUse) {
  const std::string path = Write("file", "apple");
  ASSERT_TRUE(Add({path}).ok());
  std::filesystem::remove(path);
  files_.Reload();
  const std::string log = text_.str();
  EXPECT_THAT(log, HasSubstr("expected a file that this user may read"));
  files_.Reload();
  EXPECT_EQ(text_.str(), log);
  Write("file", "apple");
  files_.Reload();
  EXPECT_THAT(used_, ElementsAre(ElementsAre("apple")));
  EXPECT_THAT(text_.str(), Not(HasSubstr("files reloaded")));
}

TEST_F(ReloadedFilesTest, WhatCannotBeUsedAtFirstIsAnError) {
  EXPECT_EQ(Add({Write("file", "bad")}).message(), "it is bad");
  EXPECT_THAT(std::string(Add({folder_ / "none"}).message()),
              AllOf(HasSubstr("none: "), HasSubstr("expected a file that this user may read")));
  EXPECT_THAT(
      std::string(Add({Write("large", std::string(ReloadedFiles::kMaxBytes + 1, 'x'))}).message()),
      HasSubstr("of at most 1 MiB"));
}

}  // namespace
}  // namespace quantd::server
