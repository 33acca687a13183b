// Tests what goes through quantctl's standard streams: arrays, reports, and the text of
// servers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/library/npy.h"
#include "tests/client/quantctl/command_line.h"
#include "tests/client/quantctl/quantctl_fixture.h"

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class QuantctlStreamsTest : public QuantctlTest {
 protected:
  // Expects that a command that writes a file writes the same to the standard output, and
  // its report to the error stream.
  void ExpectToStandardOutput(const std::vector<std::string>& command, const std::string& option) {
    std::vector<std::string> to_file = command;
    to_file.insert(to_file.end(), {option, output_});
    const CommandLineResult expected = RunHere(to_file);
    ASSERT_EQ(expected.exit_code, 0) << expected.error;
    for (const std::string name : {"-", "/dev/stdout"}) {
      std::vector<std::string> to_output = command;
      to_output.insert(to_output.end(), {option, name});
      const CommandLineResult result = RunHere(to_output);
      ASSERT_EQ(result.exit_code, 0) << result.error;
      EXPECT_EQ(result.output, ReadBytes(output_)) << command.front();
      EXPECT_EQ(result.error, expected.output) << command.front();
    }
  }

  // Makes the server refuse all calls with this text.
  void RefuseWith(const std::string& message) {
    service_.edit_answer = [message](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
      return grpc::Status(grpc::StatusCode::INTERNAL, message);
    };
  }
};

TEST_F(QuantctlStreamsTest, ArraysCanBeWrittenToTheStandardOutput) {
  ExpectToStandardOutput({"fake-quant", "--input", input_, "--range-from-data"}, "--output");
  ExpectToStandardOutput({"fake-quant", "--input", input_, "--range-from-data", "--json"},
                         "--output");
  ExpectToStandardOutput(
      {"gradient", "--gradients", input_, "--inputs", input_, "--min", "-2", "--max", "2"},
      "--output");
  ExpectToStandardOutput({"quantize", "--input", input_, "--scale", "0.1"}, "--output");
  ExpectToStandardOutput(
      {"quantize", "--input", input_, "--scale", "0.1", "--output", folder_ / "codes.npy"},
      "--scale-output");
  ExpectToStandardOutput(
      {"quantize", "--input", input_, "--scale", "0.1", "--output", folder_ / "codes.npy"},
      "--zero-point-output");
  ExpectToStandardOutput(
      {"dequantize", "--input", folder_ / "codes.npy", "--scale", "0.1", "--json"}, "--output");
  ExpectToStandardOutput({"train-range", "--input", input_, "--steps", "2"}, "--min-output");
  ExpectToStandardOutput({"train-range", "--input", input_, "--steps", "2"}, "--max-output");
}

TEST_F(QuantctlStreamsTest, OnlyOneArrayCanBeWrittenToTheStandardOutput) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"quantize", "--input", input_, "--scale", "1", "--output", "-", "--scale-output",
            "/dev/stdout"},
           {"train-range", "--input", input_, "--min-output", "-", "--max-output", "-"}}) {
    const CommandLineResult result = RunHere(command);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.error, HasSubstr("expected one at most"));
    EXPECT_THAT(result.output, IsEmpty());
  }
}

TEST_F(QuantctlStreamsTest, ThePageOfALoadTestCanBeWrittenToTheStandardOutput) {
  const CommandLineResult result =
      RunHere({"bench", "--requests=10", "--warmup=0s", "--report", "-"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(result.error, StartsWith("fake-quantize of float32 [1024]"));
}

TEST_F(QuantctlStreamsTest, AServerCannotDriveTheTerminal) {
  RefuseWith("\x1b[2J\x1b]0;owned\x07\nquantctl: all is well \u009b31m");
  const CommandLineResult call =
      RunHere({"fake-quant", "--input", input_, "--min", "0", "--max", "1", "--output", output_});
  EXPECT_EQ(call.exit_code, 1);
  const auto is_escaped =
      AllOf(HasSubstr("\\x1b[2J\\x1b]0;owned\\x07\\nquantctl: all is well \\u009b31m"),
            Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")), Not(HasSubstr("\u009b")));
  EXPECT_THAT(call.error, is_escaped);

  const std::vector<std::string> bench = {"bench", "--requests=10", "--warmup=0s"};
  EXPECT_THAT(RunHere(bench).output, is_escaped);
}

TEST_F(QuantctlStreamsTest, TheTextOfAServerIsTheSameInJson) {
  const std::string right_to_left = {'\xe2', '\x80', '\xae'};
  const std::string message = "\x1b[2J \u009b31m " + right_to_left;
  RefuseWith(message);
  const std::string output =
      RunHere({"bench", "--requests=10", "--warmup=0s", "--output=json"}).output;
  EXPECT_EQ(json::parse(output)["error_messages"]["INTERNAL"], message);
  EXPECT_THAT(output, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\u009b"))));
}

}  // namespace
}  // namespace quantd::client
