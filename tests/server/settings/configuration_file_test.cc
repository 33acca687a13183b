#include "server/settings/configuration_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/file_descriptor.h"

namespace quantd::server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// The values of the setting `name` in `text`.
Values ValuesIn(std::string_view text, std::string_view name) {
  const auto given = ParseConfiguration("q.toml", text);
  EXPECT_TRUE(given.ok()) << given.status();
  if (!given.ok() || given->find(name) == given->end()) {
    return {"missing"};
  }
  return given->find(name)->second.values;
}

std::string ErrorIn(std::string_view text) {
  const absl::Status status = ParseConfiguration("q.toml", text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(ParseConfiguration, ReadsEveryFormOfAText) {
  for (const char* text :
       {R"(log-level = "debug")", R"(log-level = 'debug')", R"("log-level" = "debug")",
        R"('log-level' = "debug")", R"("log\u002dlevel" = "\u0064ebug")",
        "  log-level\t=  \"debug\"   # a comment", "# a comment\r\nlog-level = \"debug\"\r\n",
        "\xEF\xBB\xBFlog-level = \"debug\"", "log-level = \"\"\"\ndebug\"\"\"",
        "log-level = \"\"\"\\\n   de\\\n   bug\"\"\"", "log-level = '''\ndebug'''"}) {
    EXPECT_THAT(ValuesIn(text, "log-level"), ElementsAre("debug")) << text;
  }
}

TEST(ParseConfiguration, ReadsEveryFormOfANumber) {
  for (const char* text : {"4096", "+4096", "4_096", "0x1000", "0o10000", "0b1_0000_0000_0000"}) {
    for (const char* name : {"worker-threads", "max-message-bytes", "drain-timeout"}) {
      EXPECT_THAT(ValuesIn(std::string(name) + " = " + text, name), ElementsAre("4096")) << text;
    }
  }
  for (const auto& [text, seconds] :
       {std::pair("2.5", "2.5"), std::pair("25e-1", "2.5"), std::pair("1_0.0", "10"),
        std::pair("1e3", "1000"), std::pair("5e-324", "0.00"), std::pair("1e308", "1000"),
        std::pair("nan", "nan"), std::pair("inf", "inf")}) {
    EXPECT_THAT(ValuesIn(std::string("drain-timeout = ") + text, "drain-timeout"),
                ElementsAre(StartsWith(seconds)))
        << text;
  }
}

TEST(ParseConfiguration, ReadsListsAndSwitches) {
  EXPECT_THAT(ValuesIn("listen = 'localhost:1'", "listen"), ElementsAre("localhost:1"));
  EXPECT_THAT(
      ValuesIn("listen = [ # both\n  'localhost:1',\n\n  \"unix:/a,b\", # last\n]", "listen"),
      ElementsAre("localhost:1", "unix:/a,b"));
  EXPECT_THAT(ValuesIn("listen = []", "listen"), IsEmpty());
  EXPECT_THAT(ValuesIn("reflection = false", "reflection"), ElementsAre("false"));
}

TEST(ParseConfiguration, ReadsNothingFromAnEmptyFile) {
  for (const char* text : {"", "\n", "# a comment", "\xEF\xBB\xBF"}) {
    const auto given = ParseConfiguration("q.toml", text);
    ASSERT_TRUE(given.ok()) << given.status();
    EXPECT_THAT(*given, IsEmpty());
  }
}

TEST(ParseConfiguration, SaysWhereAValueIs) {
  const auto given = ParseConfiguration("q.toml", "# é\n\n  log-level = \"debug\"");
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_EQ(given->at("log-level").source, "q.toml:3:15: log-level");
}

TEST(ParseConfiguration, RefusesWhatIsNotASettingAndSuggestsOne) {
  EXPECT_THAT(ErrorIn("\n# é\nlog-levle = 'debug'"),
              AllOf(StartsWith("q.toml:3:1: 'log-levle' is not a setting"),
                    HasSubstr("did you mean 'log-level'?")));
  EXPECT_THAT(ErrorIn("check-config = true"), StartsWith("q.toml:1:1: 'check-config'"));
  EXPECT_THAT(ErrorIn("config = 'q.toml'"), StartsWith("q.toml:1:1: 'config'"));
  EXPECT_THAT(ErrorIn("'' = 1"), StartsWith("q.toml:1:1: ''"));
  // The first in the file, not in the alphabet.
  EXPECT_THAT(ErrorIn("z = 1\na = 1"), StartsWith("q.toml:1:1: 'z'"));
}

TEST(ParseConfiguration, RefusesSections) {
  EXPECT_THAT(
      ErrorIn("reflection = true\n[server]\nworker-threads = 2"),
      AllOf(StartsWith("q.toml:2:2: 'server' is not a setting"), HasSubstr("without [server]")));
  EXPECT_THAT(ErrorIn("server.log-level = 'debug'"), StartsWith("q.toml:1:1: 'server'"));
  EXPECT_THAT(ErrorIn("[[listen]]\nport = 1"), HasSubstr("'listen' is a table"));
  EXPECT_THAT(ErrorIn("log-level.all = 'debug'"), HasSubstr("'log-level' is a table"));
  EXPECT_THAT(ErrorIn("listen = { port = 1 }"), StartsWith("q.toml:1:10: 'listen' is a table"));
}

TEST(ParseConfiguration, RefusesTheWrongTypeAndSaysWhichIsRight) {
  struct Case {
    const char* setting;
    const char* expected;
    std::vector<const char*> wrong;
  };
  for (const Case& current : std::vector<Case>{
           {"log-level", "expected a string", {"1", "1.5", "true", "['debug']", "1979-05-27"}},
           {"worker-threads", "expected a whole number", {"'3'", "3.0", "true", "[3]", "07:32:00"}},
           {"max-message-bytes", "a string with a unit", {"1.5", "true", "[1]", "1979-05-27"}},
           {"drain-timeout", "expected a number of seconds", {"true", "[1]", "1979-05-27"}},
           {"reflection", "reflection = false", {"0", "'false'", "[true]", "0.0"}},
           {"listen", "an array of strings", {"1", "true", "[1]", "['a:1', 2]", "[['a:1']]"}}}) {
    for (const char* value : current.wrong) {
      const std::string text = std::string(current.setting) + " = " + value;
      EXPECT_THAT(ErrorIn(text), AllOf(StartsWith("q.toml:1:"), HasSubstr(current.setting),
                                       HasSubstr(current.expected)))
          << text;
    }
  }
}

TEST(ParseConfiguration, RefusesWhatIsNotToml) {
  for (const auto& [text, place] :
       {std::pair("log-level = debug", "q.toml:1:13: "), std::pair("\nlog-level", "q.toml:2:"),
        std::pair("log-level = 'a'\nlog-level = 'b'", "q.toml:2:"),
        std::pair("log-level = \"a", "q.toml:1:"), std::pair("= 1", "q.toml:1:1: "),
        std::pair("worker-threads = 1 2", "q.toml:1:"), std::pair("listen = ['a:1'", "q.toml:1:"),
        std::pair("worker-threads = 012", "q.toml:1:"), std::pair("a = 1 b = 2", "q.toml:1:"),
        std::pair("worker-threads = 99999999999999999999", "q.toml:1:"),
        std::pair("log-level = \"\\ud800\"", "q.toml:1:"), std::pair("\xff = 1", "q.toml:1:1: "),
        std::pair("\n\nlog-level = \"\xc3(\"", "q.toml:3:")}) {
    EXPECT_THAT(ErrorIn(text), AllOf(StartsWith(place), HasSubstr("expected TOML 1.0"))) << text;
  }
}

TEST(ParseConfiguration, RefusesTheNullCharacter) {
  EXPECT_THAT(ErrorIn("listen = [\"unix:/a\\u0000b\"]"),
              AllOf(StartsWith("q.toml:1:11: 'listen'"), HasSubstr("U+0000")));
}

// toml++ uses stack for each level, and instrumented code more of it.
TEST(ParseConfiguration, SurvivesAsManyLevelsAsAFileCanHave) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::size_t kBytes = kMaxConfigurationBytes / 8;
#else
  constexpr std::size_t kBytes = kMaxConfigurationBytes;
#endif
  std::string dotted;
  while (dotted.size() + 3 < kBytes) {
    dotted += "a.";
  }
  EXPECT_THAT(ErrorIn(dotted + "a=1"), HasSubstr("'a' is not a setting"));
  EXPECT_THAT(ErrorIn("[" + dotted + "a]"), HasSubstr("'a' is not a setting"));
  EXPECT_THAT(ErrorIn("listen = " + std::string(kBytes, '[')), HasSubstr("expected TOML 1.0"));
  EXPECT_THAT(ErrorIn("a" + std::string(kBytes, 'b') + " = 1"), testing::SizeIs(testing::Lt(500U)));
}

// A folder that is removed after the test.
class ConfigurationFileTest : public testing::Test {
 protected:
  ConfigurationFileTest()
      : folder_(std::filesystem::path(testing::TempDir()) /
                (std::string("quantd_configuration_") +
                 testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ConfigurationFileTest() override { std::filesystem::remove_all(folder_); }

  std::string WriteFile(const std::string& text) const {
    std::ofstream(folder_ / "quantd.toml") << text;
    return folder_ / "quantd.toml";
  }

  static std::string ErrorOf(const std::string& path) {
    const absl::Status status = ReadConfigurationFile(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  std::filesystem::path folder_;
};

TEST_F(ConfigurationFileTest, MayBeAsLargeAsTheLimit) {
  const std::string text = "log-level = 'debug'\n#";
  const std::string path = WriteFile(text + std::string(kMaxConfigurationBytes - text.size(), '#'));
  const auto given = ReadConfigurationFile(path);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_THAT(given->at("log-level").values, ElementsAre("debug"));
  WriteFile(text + std::string(kMaxConfigurationBytes - text.size() + 1, '#'));
  EXPECT_THAT(ErrorOf(path), AllOf(HasSubstr(path), HasSubstr("65536 bytes")));
}

TEST_F(ConfigurationFileTest, IsNotReadWithoutEnd) {
  EXPECT_THAT(ErrorOf("/dev/zero"), HasSubstr("65536 bytes"));
}

TEST_F(ConfigurationFileTest, HasToBeAFileThatCanBeRead) {
  EXPECT_THAT(ErrorOf(folder_ / "missing.toml"),
              AllOf(HasSubstr("missing.toml"), HasSubstr("No such file")));
  EXPECT_THAT(ErrorOf(folder_), HasSubstr("Is a directory"));
  EXPECT_THAT(ErrorOf("/proc/self/mem"), HasSubstr("/proc/self/mem: cannot read the file"));
}

// As the shell passes the output of a command: --config <(command)
TEST(ReadConfigurationFile, WaitsForTheWriterOfAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const core::FileDescriptor read_end(ends[0]);
  absl::StatusOr<GivenValues> given;
  std::thread reader([&given, path = "/proc/self/fd/" + std::to_string(ends[0])] {
    given = ReadConfigurationFile(path);
  });
  {
    const core::FileDescriptor write_end(ends[1]);
    const auto write = [&write_end](std::string_view text) {
      return write_end.Write(std::as_bytes(std::span(text)));
    };
    EXPECT_TRUE(write("log-level = ").ok());
    int waiting = 1;
    while (waiting > 0 && ::ioctl(read_end.number(), FIONREAD, &waiting) == 0) {
      std::this_thread::yield();
    }
    EXPECT_TRUE(write("'debug'").ok());
  }
  reader.join();
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_THAT(given->at("log-level").values, ElementsAre("debug"));
}

// A text that a person would not write: quotes, control characters, any plane of
// Unicode.
std::string RandomText(std::mt19937& random) {
  constexpr std::string_view kDifficult = "\"'\\\n\r\t\b\x1b\x7f#=[]{}, .\x01";
  std::string text;
  for (std::size_t size = random() % 20; size > 0; --size) {
    switch (random() % 5) {
      case 0:
        text += kDifficult[random() % kDifficult.size()];
        break;
      case 1:
        text += static_cast<char>(1 + random() % 127);
        break;
      case 2: {  // U+0080..U+07FF
        const auto code = 0x80 + random() % (0x800 - 0x80);
        text += {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
        break;
      }
      case 3: {  // U+E000..U+FFFF, noncharacters and the byte order mark included
        const auto code = 0xe000 + random() % 0x2000;
        text += {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
                 static_cast<char>(0x80 | (code & 0x3f))};
        break;
      }
      default: {  // U+10000..U+10FFFF
        const auto code = 0x10000 + random() % 0x100000;
        text +=
            {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 0x3f)),
             static_cast<char>(0x80 | (code >> 6 & 0x3f)), static_cast<char>(0x80 | (code & 0x3f))};
      }
    }
  }
  return text;
}

std::uint64_t RandomSize(std::mt19937& random) {
  return std::uint64_t{1} << random() % 60 | (random() % 2 == 0 ? random() : 0);
}

// Options of any values, whether they are valid or not.
Options RandomOptions(std::mt19937& random) {
  Options options;
  options.listen.clear();
  for (std::size_t count = 1 + random() % 3; count > 0; --count) {
    options.listen.push_back("unix:/" + RandomText(random));
  }
  options.metrics_listen = RandomText(random);
  options.worker_threads = 1 + random() % kMaxWorkerThreads;
  options.memory_limit = RandomSize(random);
  options.max_message_bytes = 1 + random() % kMaxMaxMessageBytes;
  options.max_in_flight_bytes = RandomSize(random);
  options.drain_timeout = std::chrono::milliseconds(random() % 86'400'001);
  options.max_connection_age = std::chrono::seconds(random() % 86'401);
  options.log_level = static_cast<LogLevel>(random() % 4);
  options.log_format = static_cast<LogFormat>(random() % 2);
  options.simd_target = RandomText(random);
  options.reflection = random() % 2 == 0;
  return options;
}

TEST(FormatConfiguration, IsReadBackToTheSameSettings) {
  std::mt19937 random(17);
  for (int i = 0; i < 2000; ++i) {
    const Options options = RandomOptions(random);
    const auto text = FormatConfiguration(options);
    ASSERT_TRUE(text.ok()) << text.status();
    const auto given = ParseConfiguration("q.toml", *text);
    ASSERT_TRUE(given.ok()) << given.status() << *text;
    for (const Setting& setting : Settings()) {
      ASSERT_EQ(given->at(setting.name).values, setting.get(options)) << *text;
    }
  }
}

TEST(FormatConfiguration, RefusesWhatTomlCannotExpress) {
  Options options;
  options.listen = {"unix:/\xff"};
  const absl::Status status = FormatConfiguration(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--listen"), HasSubstr("UTF-8")));
}

}  // namespace
}  // namespace quantd::server
