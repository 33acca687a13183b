#include "server/settings/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/simd_target.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A configuration file that is removed after the test.
class ConfigurationFile {
 public:
  explicit ConfigurationFile(const std::string& text)
      : path_(testing::TempDir() + "/quantd_options_test_" +
              testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml") {
    std::ofstream(path_) << text;
  }
  ~ConfigurationFile() { std::filesystem::remove(path_); }
  ConfigurationFile(const ConfigurationFile&) = delete;
  ConfigurationFile& operator=(const ConfigurationFile&) = delete;

  const std::string& path() const { return path_; }
  std::string flag() const { return "--config=" + path_; }

 private:
  std::string path_;
};

Options Parse(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  const auto command_line = ParseCommandLine(arguments, environment);
  EXPECT_TRUE(command_line.ok()) << command_line.status();
  return command_line.ok() ? command_line->options : Options();
}

std::string ErrorOf(const std::vector<std::string>& arguments,
                    const Environment& environment = {}) {
  const absl::Status status = ParseCommandLine(arguments, environment).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(Options, HaveDocumentedDefaults) {
  const Options options = Parse({});
  EXPECT_THAT(options.listen, ElementsAre("localhost:50051"));
  EXPECT_EQ(options.metrics_listen, "localhost:9464");
  EXPECT_GE(options.worker_threads, 1U);
  EXPECT_EQ(options.max_message_bytes, 256U << 20);
  EXPECT_EQ(options.max_in_flight_bytes, 1U << 30);
  EXPECT_EQ(options.drain_timeout, std::chrono::seconds(30));
  EXPECT_EQ(options.max_connection_age, std::chrono::seconds(0));
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
  EXPECT_EQ(options.log_format, LogFormat::kText);
  EXPECT_EQ(options.simd_target, "");
  EXPECT_TRUE(options.reflection);
}

TEST(Options, AreReadFromTheCommandLine) {
  const std::string target = core::SupportedSimdTargets().back();
  const Options options = Parse(
      {"--listen=localhost:1", "--listen", "unix:/tmp/q.sock",
       "--metrics-listen=", "--worker-threads=3", "--max-message-bytes=64MiB",
       "--max-in-flight-bytes", "2GiB", "--drain-timeout=500ms", "--max-connection-age=5m",
       "--log-level=debug", "--log-format=json", "--simd-target=" + target, "--no-reflection"});
  EXPECT_THAT(options.listen, ElementsAre("localhost:1", "unix:/tmp/q.sock"));
  EXPECT_EQ(options.metrics_listen, "");
  EXPECT_EQ(options.worker_threads, 3U);
  EXPECT_EQ(options.max_message_bytes, 64U << 20);
  EXPECT_EQ(options.max_in_flight_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(options.drain_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(options.max_connection_age, std::chrono::minutes(5));
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.simd_target, target);
  EXPECT_FALSE(options.reflection);
}

TEST(Options, AreReadFromTheEnvironment) {
  const Options options = Parse({}, {{"QUANTD_LISTEN", "localhost:1, unix:/tmp/q.sock"},
                                     {"QUANTD_METRICS_LISTEN", ""},
                                     {"QUANTD_MAX_MESSAGE_BYTES", "1MiB"},
                                     {"QUANTD_REFLECTION", "false"},
                                     {"QUANTD_SERVICE_HOST", "a Kubernetes variable"}});
  EXPECT_THAT(options.listen, ElementsAre("localhost:1", "unix:/tmp/q.sock"));
  EXPECT_EQ(options.metrics_listen, "");
  EXPECT_EQ(options.max_message_bytes, 1U << 20);
  EXPECT_FALSE(options.reflection);
}

TEST(Options, AreReadFromTheFile) {
  const ConfigurationFile file(
      "# a comment\nlisten = [\"localhost:1\", \"[::1]:2\"]\nworker-threads = 3\n"
      "log-level = \"error\"\nreflection = false\n");
  for (const Options& options :
       {Parse({file.flag()}), Parse({}, {{"QUANTD_CONFIG", file.path()}})}) {
    EXPECT_THAT(options.listen, ElementsAre("localhost:1", "[::1]:2"));
    EXPECT_EQ(options.worker_threads, 3U);
    EXPECT_EQ(options.log_level, LogLevel::kError);
    EXPECT_FALSE(options.reflection);
  }
}

TEST(Options, PreferTheCommandLineThenTheEnvironmentThenTheFile) {
  const ConfigurationFile file(
      "worker-threads = 3\nlisten = [\"localhost:3\"]\nreflection = false\n");
  const Environment environment = {{"QUANTD_WORKER_THREADS", "4"},
                                   {"QUANTD_LISTEN", "localhost:4,localhost:5"}};
  EXPECT_EQ(Parse({file.flag()}).worker_threads, 3U);
  EXPECT_EQ(Parse({file.flag()}, environment).worker_threads, 4U);
  EXPECT_THAT(Parse({file.flag()}, environment).listen, ElementsAre("localhost:4", "localhost:5"));
  const Options options = Parse(
      {"--worker-threads=5", file.flag(), "--listen=localhost:6", "--reflection"}, environment);
  EXPECT_EQ(options.worker_threads, 5U);
  EXPECT_THAT(options.listen, ElementsAre("localhost:6"));
  EXPECT_TRUE(options.reflection);
}

TEST(Options, RoundTripThroughAFile) {
  const std::vector<std::string> arguments = {
      "--listen=localhost:1",   "--listen=unix:/tmp/q.sock", "--metrics-listen=",
      "--worker-threads=3",     "--max-message-bytes=1025",  "--max-in-flight-bytes=3GiB",
      "--drain-timeout=1m0.5s", "--log-level=warning",       "--log-format=json",
      "--no-reflection",        "--max-connection-age=1h"};
  for (const std::vector<std::string>& given : {arguments, std::vector<std::string>()}) {
    const std::string text = FormatConfiguration(Parse(given));
    const ConfigurationFile file(text);
    EXPECT_EQ(FormatConfiguration(Parse({file.flag()})), text);
  }
  EXPECT_NE(FormatConfiguration(Parse(arguments)), FormatConfiguration(Parse({})));
}

TEST(Options, ArePrintedByCheckConfig) {
  const auto command_line = ParseCommandLine(
      std::vector<std::string>{"--check-config", "--worker-threads=7"}, Environment());
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  ASSERT_TRUE(command_line->answer.has_value());
  EXPECT_THAT(*command_line->answer, HasSubstr("\nworker-threads = 7\n"));
}

TEST(Options, IncludeHelpAndVersion) {
  for (const char* flag : {"--help", "--version"}) {
    const auto command_line = ParseCommandLine(std::vector<std::string>{flag}, Environment());
    ASSERT_TRUE(command_line.ok()) << command_line.status();
    ASSERT_TRUE(command_line->answer.has_value());
    EXPECT_THAT(*command_line->answer, HasSubstr("quantd"));
  }
}

TEST(Options, RejectBadFlagsAndNameThem) {
  const std::vector<std::vector<std::string>> cases = {
      {"--no-such-flag"},
      {"--worker-threads=0"},
      {"--worker-threads=many"},
      {"--worker-threads=1", "--worker-threads=2"},
      {"--max-message-bytes=12parsec"},
      {"--max-message-bytes=0"},
      {"--drain-timeout=soon"},
      {"--log-level=loud"},
      {"--log-format=xml"},
      {"--listen=nowhere"},
      {"--listen="},
      {"--metrics-listen=nowhere"},
      {"--simd-target=NOSUCH"},
      {"--reflection=maybe"},
  };
  for (const std::vector<std::string>& arguments : cases) {
    const std::string& fault = arguments.back();
    EXPECT_THAT(ErrorOf(arguments), HasSubstr(fault.substr(0, fault.find('='))));
  }
  EXPECT_THAT(ErrorOf({"surplus"}), HasSubstr("surplus"));
}

TEST(Options, RejectLimitsThatContradictEachOther) {
  const std::string error = ErrorOf({"--max-message-bytes=2MiB", "--max-in-flight-bytes=1MiB"});
  EXPECT_THAT(error, HasSubstr("--max-in-flight-bytes is 1MiB"));
  EXPECT_THAT(error, HasSubstr("--max-message-bytes 2MiB"));
  EXPECT_THAT(ErrorOf({"--max-message-bytes=2GiB", "--max-in-flight-bytes=4GiB"}),
              HasSubstr("--max-message-bytes"));
}

TEST(Options, NameTheVariableAtFault) {
  EXPECT_THAT(ErrorOf({}, {{"QUANTD_WORKER_THREADS", "some"}}),
              testing::AllOf(HasSubstr("QUANTD_WORKER_THREADS"), HasSubstr("some")));
}

TEST(Options, IgnoreABadVariableThatAFlagOverrides) {
  EXPECT_EQ(Parse({"--worker-threads=2"}, {{"QUANTD_WORKER_THREADS", "some"}}).worker_threads, 2U);
}

TEST(Options, NameTheFileAndTheKeyAtFault) {
  for (const auto& [text, fault] : std::vector<std::pair<std::string, std::string>>{
           {"no-such-setting = 1\n", "no-such-setting"},
           {"[server]\nworker-threads = 2\n", "server"},
           {"worker-threads = \"many\"\n", "many"},
           {"check-config = true\n", "check-config"}}) {
    const ConfigurationFile file(text);
    EXPECT_THAT(ErrorOf({file.flag()}), testing::AllOf(HasSubstr(file.path()), HasSubstr(fault)));
  }
  EXPECT_THAT(ErrorOf({"--config=/no/such/file.toml"}), HasSubstr("/no/such/file.toml"));
}

}  // namespace
}  // namespace quantd::server
