#include "server/settings/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace quantd::server {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(ReadEnvironment, NamesTheVariableOfEachSetting) {
  const GivenValues given = ReadEnvironment({{"QUANTD_MAX_MESSAGE_BYTES", "1MiB"}});
  ASSERT_THAT(given, SizeIs(1));
  EXPECT_THAT(given.at("max-message-bytes").values, ElementsAre("1MiB"));
  EXPECT_EQ(given.at("max-message-bytes").source,
            "the environment variable QUANTD_MAX_MESSAGE_BYTES");
}

TEST(ReadEnvironment, SplitsListsAtCommas) {
  const GivenValues given = ReadEnvironment({{"QUANTD_LISTEN", " localhost:1, ,unix:/a b "}});
  EXPECT_THAT(given.at("listen").values, ElementsAre("localhost:1", "unix:/a b"));
}

TEST(ReadEnvironment, FindsNoAddressBetweenCommasAlone) {
  EXPECT_THAT(ReadEnvironment({{"QUANTD_LISTEN", ","}}).at("listen").values, IsEmpty());
}

TEST(UnknownVariables, AreNamedWithWhatWasProbablyMeant) {
  EXPECT_THAT(UnknownVariables({{"QUANTD_LOG_LEVLE", "debug"}}),
              ElementsAre(AllOf(HasSubstr("QUANTD_LOG_LEVLE is not a setting"),
                                HasSubstr("did you mean QUANTD_LOG_LEVEL?"))));
  EXPECT_THAT(UnknownVariables({{"QUANTD_CONFG", ""}}),
              ElementsAre(HasSubstr("did you mean QUANTD_CONFIG?")));
  EXPECT_THAT(UnknownVariables({{"QUANTD_FRUIT", "apple"}}),
              ElementsAre(AllOf(HasSubstr("QUANTD_FRUIT"), HasSubstr("quantd --help"))));
}

TEST(UnknownVariables, AreCutIfTheyAreLong) {
  const std::string name = "QUANTD_" + std::string(10'000, 'X');
  EXPECT_THAT(UnknownVariables({{name, ""}}), ElementsAre(SizeIs(testing::Lt(300U))));
}

TEST(UnknownVariables, AreNotThoseOfSettingsOrOfOtherPrograms) {
  Environment environment = {{"QUANTD_CONFIG", "a"}, {"QUANTCTL_SERVER", "b"}, {"PATH", "c"}};
  for (const Setting& setting : Settings()) {
    environment.emplace(EnvironmentName(setting.name), "");
  }
  EXPECT_THAT(UnknownVariables(environment), IsEmpty());
}

TEST(UnknownVariables, AreNotThoseThatKubernetesAndDockerGenerate) {
  EXPECT_THAT(UnknownVariables({{"QUANTD_SERVICE_HOST", "10.0.0.1"},
                                {"QUANTD_SERVICE_PORT", "50051"},
                                {"QUANTD_SERVICE_PORT_GRPC", "50051"},
                                {"QUANTD_PORT", "tcp://10.0.0.1:50051"},
                                {"QUANTD_PORT_50051_TCP", "tcp://10.0.0.1:50051"},
                                {"QUANTD_PORT_50051_TCP_PROTO", "tcp"},
                                {"QUANTD_PORT_50051_TCP_PORT", "50051"},
                                {"QUANTD_PORT_50051_TCP_ADDR", "10.0.0.1"},
                                {"QUANTD_CANARY_SERVICE_HOST", "10.0.0.2"},
                                {"QUANTD_CANARY_PORT_9464_TCP_ADDR", "10.0.0.2"},
                                {"QUANTD_NAME", "/web/quantd"},
                                {"QUANTD_ENV_PATH", "/usr/bin"}}),
              IsEmpty());
}

}  // namespace
}  // namespace quantd::server
