#include "server/settings/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/simd_target.h"
#include "server/settings/configuration_file.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MachineResources LargeMachine() {
  return {.processors = 4,
          .processors_from = "the processors of the test",
          .memory_bytes = std::uint64_t{64} << 30,
          .memory_from = "the memory of the test"};
}

// A configuration file that is removed after the test.
class ConfigurationFile {
 public:
  explicit ConfigurationFile(const std::string& text)
      : path_(testing::TempDir() + "/quantd_command_line_test_" +
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

CommandLine ParseAll(const std::vector<std::string>& arguments,
                     const Environment& environment = {}) {
  auto command_line = ParseCommandLine(arguments, environment, LargeMachine());
  EXPECT_TRUE(command_line.ok()) << command_line.status();
  return command_line.ok() ? *std::move(command_line) : CommandLine();
}

Options Parse(const std::vector<std::string>& arguments, const Environment& environment = {}) {
  return ParseAll(arguments, environment).options;
}

std::string ErrorOf(const std::vector<std::string>& arguments,
                    const Environment& environment = {}) {
  const absl::Status status = ParseCommandLine(arguments, environment, LargeMachine()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(CommandLine, HasDocumentedDefaults) {
  const Options options = Parse({});
  EXPECT_THAT(options.listen, ElementsAre("localhost:50051"));
  EXPECT_EQ(options.metrics_listen, "localhost:9464");
  EXPECT_EQ(options.worker_threads, 4U);
  EXPECT_EQ(options.memory_limit, std::uint64_t{64} << 30);
  EXPECT_EQ(options.max_message_bytes, 256U << 20);
  EXPECT_EQ(options.max_in_flight_bytes, 1U << 30);
  EXPECT_EQ(options.drain_timeout, std::chrono::seconds(30));
  EXPECT_EQ(options.max_connection_age, std::chrono::seconds(0));
  EXPECT_EQ(options.log_level, LogLevel::kInfo);
  EXPECT_EQ(options.log_format, LogFormat::kText);
  EXPECT_EQ(options.simd_target, "");
  EXPECT_TRUE(options.reflection);
}

TEST(CommandLine, GivesTheFlags) {
  const std::string target = core::SupportedSimdTargets().back();
  const Options options =
      Parse({"--listen=localhost:1", "--listen", "unix:/tmp/q.sock",
             "--metrics-listen=", "--worker-threads=3", "--max-message-bytes=64MiB",
             "--max-in-flight-bytes", "2GiB", "--memory-limit=8GiB", "--drain-timeout=500ms",
             "--max-connection-age=5m", "--log-level=debug", "--log-format=json",
             "--simd-target=" + target, "--no-reflection"});
  EXPECT_THAT(options.listen, ElementsAre("localhost:1", "unix:/tmp/q.sock"));
  EXPECT_EQ(options.metrics_listen, "");
  EXPECT_EQ(options.worker_threads, 3U);
  EXPECT_EQ(options.max_message_bytes, 64U << 20);
  EXPECT_EQ(options.max_in_flight_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(options.memory_limit, std::uint64_t{8} << 30);
  EXPECT_EQ(options.drain_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(options.max_connection_age, std::chrono::minutes(5));
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_EQ(options.log_format, LogFormat::kJson);
  EXPECT_EQ(options.simd_target, target);
  EXPECT_FALSE(options.reflection);
}

TEST(CommandLine, ReadsTheEnvironment) {
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

TEST(CommandLine, ReadsTheFile) {
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

TEST(CommandLine, PrefersTheFlagsThenTheEnvironmentThenTheFile) {
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

TEST(CommandLine, PrintsTheSettingsForCheckConfig) {
  const CommandLine command_line = ParseAll({"--check-config", "--worker-threads=7"});
  ASSERT_TRUE(command_line.answer.has_value());
  EXPECT_THAT(*command_line.answer, HasSubstr("\nworker-threads = 7\n"));
  const ConfigurationFile file(*command_line.answer);
  EXPECT_EQ(ParseAll({"--check-config", file.flag()}).answer, command_line.answer);
}

TEST(CommandLine, HasHelpAndVersion) {
  for (const char* flag : {"--help", "--version"}) {
    const CommandLine command_line = ParseAll({flag});
    ASSERT_TRUE(command_line.answer.has_value());
    EXPECT_THAT(*command_line.answer, HasSubstr("quantd"));
  }
}

TEST(CommandLine, RejectsBadFlagsAndNamesThem) {
  const std::vector<std::vector<std::string>> cases = {
      {"--no-such-flag"},
      {"--worker-threads=0"},
      {"--worker-threads=many"},
      {"--worker-threads=1", "--worker-threads=2"},
      {"--max-message-bytes=12parsec"},
      {"--max-message-bytes=0"},
      {"--max-message-bytes=2GiB"},
      {"--memory-limit=much"},
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

TEST(CommandLine, RejectsLimitsThatContradictEachOther) {
  EXPECT_THAT(
      ErrorOf({"--max-message-bytes=2MiB", "--max-in-flight-bytes=1MiB"}),
      HasSubstr("--max-in-flight-bytes: 1MiB is less than the 2MiB of --max-message-bytes"));
  const ConfigurationFile file("max-in-flight-bytes = \"1MiB\"\n");
  EXPECT_THAT(
      ErrorOf({file.flag()}, {{"QUANTD_MAX_MESSAGE_BYTES", "2MiB"}}),
      HasSubstr(file.path() + ":1:23: max-in-flight-bytes: 1MiB is less than the 2MiB of the "
                              "environment variable QUANTD_MAX_MESSAGE_BYTES"));
}

TEST(CommandLine, NamesTheVariableAtFault) {
  EXPECT_THAT(ErrorOf({}, {{"QUANTD_WORKER_THREADS", "some"}}),
              testing::AllOf(HasSubstr("QUANTD_WORKER_THREADS"), HasSubstr("some")));
}

TEST(CommandLine, IgnoresABadVariableThatAFlagOverrides) {
  EXPECT_EQ(Parse({"--worker-threads=2"}, {{"QUANTD_WORKER_THREADS", "some"}}).worker_threads, 2U);
}

TEST(CommandLine, NamesThePlaceInTheFileAtFault) {
  const ConfigurationFile file("# Threads:\nworker-threads = 5000\n");
  EXPECT_THAT(ErrorOf({file.flag()}), HasSubstr(file.path() + ":2:18: worker-threads: '5000'"));
  EXPECT_THAT(ErrorOf({"--config=/no/such/file.toml"}), HasSubstr("/no/such/file.toml"));
}

TEST(CommandLine, IgnoresABadValueInTheFileThatAFlagOverrides) {
  const ConfigurationFile file("worker-threads = 5000\n");
  EXPECT_EQ(Parse({"--worker-threads=2", file.flag()}).worker_threads, 2U);
}

TEST(CommandLine, PrefersTheFileOfTheFlagToTheFileOfTheVariable) {
  const ConfigurationFile file("worker-threads = 3\n");
  EXPECT_EQ(Parse({file.flag()}, {{"QUANTD_CONFIG", "/no/such/file"}}).worker_threads, 3U);
  EXPECT_THAT(ErrorOf({}, {{"QUANTD_CONFIG", "/no/such/file"}}), HasSubstr("/no/such/file"));
}

TEST(CommandLine, RefusesSettingsForSecurityThatDoNotBelongTogether) {
  for (const char* alone : {"--tls-cert=cert.pem", "--tls-key=key.pem"}) {
    EXPECT_THAT(ErrorOf({alone}), HasSubstr("only one of --tls-cert and --tls-key is given"));
  }
  EXPECT_THAT(ErrorOf({"--tls-client-ca=ca.pem"}),
              HasSubstr("expected --tls-cert and --tls-key as well"));
  EXPECT_THAT(ErrorOf({"--metrics-secure"}), HasSubstr("--metrics-secure has nothing to ask for"));
  EXPECT_TRUE(Parse({"--metrics-secure", "--token-file=tokens"}).metrics_secure);
}

TEST(CommandLine, TakesAnEmptyVariableForNoneUnlessEmptyIsAValue) {
  // All settings have another value in the file than by default.
  const std::string text =
      "listen = \"localhost:1\"\nmetrics-listen = \"localhost:2\"\nworker-threads = 3\n"
      "memory-limit = \"4GiB\"\nmax-message-bytes = \"1MiB\"\nmax-in-flight-bytes = \"2MiB\"\n"
      "drain-timeout = 5\nmax-connection-age = 6\nlog-level = \"error\"\nlog-format = \"json\"\n"
      "tls-cert = \"cert.pem\"\ntls-key = \"key.pem\"\ntls-client-ca = \"ca.pem\"\n"
      "insecure = true\ntoken-file = \"tokens\"\npolicy-file = \"policy.toml\"\n"
      "metrics-secure = true\n"
      "max-wait = 7\nmax-stall = 12\nmax-connection-idle = 8\nmax-connections = 9\n"
      "max-connections-per-peer = 10\nmax-streams-per-connection = 11\n"
      "unix-socket-mode = \"600\"\nlog-file = \"quantd.log\"\nsimd-target = \"" +
      core::SupportedSimdTargets().back() + "\"\nreflection = false\n";
  const ConfigurationFile file(text);
  const Options in_file = Parse({file.flag()});
  for (const Setting& setting : Settings()) {
    ASSERT_NE(setting.get(in_file), setting.get(Parse({}))) << setting.name;
    const Options options = Parse({file.flag()}, {{EnvironmentName(setting.name), ""}});
    const bool may_be_empty = setting.name == "metrics-listen" || setting.name == "simd-target" ||
                              setting.name == "unix-socket-mode" || setting.name == "log-file";
    EXPECT_EQ(setting.get(options), may_be_empty ? Values{""} : setting.get(in_file))
        << setting.name;
  }
  EXPECT_EQ(Parse({}, {{"QUANTD_CONFIG", ""}}).worker_threads, 4U);
}

TEST(CommandLine, WarnsOfVariablesThatSetNothing) {
  EXPECT_THAT(ParseAll({}, {{"QUANTD_LOG_LEVEL", "error"}, {"HOME", "/"}}).warnings, IsEmpty());
  EXPECT_THAT(ParseAll({}, {{"QUANTD_LOG_LEVLE", "error"}}).warnings,
              ElementsAre(HasSubstr("did you mean QUANTD_LOG_LEVEL?")));
}

TEST(CommandLine, FitsTheLimitsToTheMachine) {
  const auto command_line =
      ParseCommandLine(std::vector<std::string>{}, {},
                       {.processors = 2, .memory_bytes = 512U << 20, .is_memory_enforced = true});
  ASSERT_TRUE(command_line.ok()) << command_line.status();
  EXPECT_EQ(command_line->options.worker_threads, 2U);
  EXPECT_EQ(command_line->options.memory_limit, 512U << 20);
  EXPECT_EQ(command_line->options.max_in_flight_bytes, 298U << 20);
  EXPECT_EQ(command_line->options.max_message_bytes, 256U << 20);
  EXPECT_THAT(command_line->warnings, IsEmpty());
}

TEST(CommandLine, SaysWhereEachLimitComesFrom) {
  const ConfigurationFile file("max-message-bytes = 100\n");
  const LimitSources sources =
      ParseAll({file.flag(), "--max-in-flight-bytes=1MiB"}, {{"QUANTD_WORKER_THREADS", "3"}})
          .limit_sources;
  EXPECT_EQ(sources.worker_threads, "the environment variable QUANTD_WORKER_THREADS");
  EXPECT_EQ(sources.memory_limit, "the memory of the test");
  EXPECT_EQ(sources.max_message_bytes, file.path() + ":1:21: max-message-bytes");
  EXPECT_EQ(sources.max_in_flight_bytes, "--max-in-flight-bytes");
}

}  // namespace
}  // namespace quantd::server
