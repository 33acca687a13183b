// Runs quantctl's commands on .npy files, against a server in this process.

#ifndef QUANTD_TESTS_CLIENT_QUANTCTL_QUANTCTL_FIXTURE_H_
#define QUANTD_TESTS_CLIENT_QUANTCTL_QUANTCTL_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/library/npy.h"
#include "tests/client/quantctl/command_line.h"
#include "tests/client/temporary_folder.h"
#include "tests/client/test_server.h"

namespace quantd::client {

inline std::vector<std::string> KeysOf(const nlohmann::json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) {
    keys.push_back(item.key());
  }
  return keys;
}

class QuantctlTest : public ::testing::Test {
 protected:
  std::string Save(const std::string& name, const std::vector<std::int64_t>& shape,
                   const std::vector<float>& values) {
    std::string path = folder_ / name;
    EXPECT_TRUE(WriteNpy(path, shape, values).ok());
    return path;
  }

  CommandLineResult RunHere(std::vector<std::string> arguments, bool watched = false) {
    arguments.insert(arguments.begin(), {"--server", server_.address()});
    return RunCommandLine(arguments, {.is_watched = watched});
  }

  nlohmann::json JsonOf(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const CommandLineResult result = RunHere(std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_THAT(result.error, ::testing::IsEmpty());
    return nlohmann::json::parse(result.output);
  }

  // What the output file holds, as float32.
  std::vector<float> Written() {
    const auto array = ReadNpy(output_);
    EXPECT_TRUE(array.ok()) << array.status();
    return ToFloats(array->elements);
  }

  std::vector<std::int32_t> WrittenCodes() {
    const auto array = ReadNpy(output_);
    EXPECT_TRUE(array.ok()) << array.status();
    return ToCodes(array->elements);
  }

  TestService service_;
  TestServer server_{&service_};
  TemporaryFolder folder_;

  const std::vector<std::int64_t> shape_ = {2, 3};
  const std::vector<float> values_ = {-7, -1, 0, 1.3F, 2.5F, 6};
  const std::string input_ = Save("x.npy", shape_, values_);
  const std::string output_ = folder_ / "y.npy";
};

}  // namespace quantd::client

#endif  // QUANTD_TESTS_CLIENT_QUANTCTL_QUANTCTL_FIXTURE_H_
