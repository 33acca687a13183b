// Tests what every command of quantctl has in common: usage, errors, exit codes; and the
// commands that ask a server about itself.

#include "client/quantctl/quantctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/quantctl/command_line.h"
#include "tests/client/quantctl/quantctl_fixture.h"

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(QuantctlTest, InfoDescribesTheServer) {
  EXPECT_EQ(JsonOf({"info"})["max_message_bytes"], std::uint64_t{1} << 40U);
  EXPECT_THAT(RunHere({"info"}).output, HasSubstr("AVX3 (of AVX3, AVX2)"));
}

TEST_F(QuantctlTest, InfoListsWhatEachMethodTakes) {
  EXPECT_EQ(JsonOf({"info"})["methods"], json({{{"method", "Quantize"},
                                                {"numerics", "LITERT_XNNPACK"},
                                                {"parameters", {"AFFINE_PER_CHANNEL", "99"}},
                                                {"input_types", {"FLOAT32"}},
                                                {"output_types", {"INT8", "UINT8"}}}}));
  EXPECT_THAT(RunHere({"info"}).output,
              HasSubstr("\nQuantize\n"
                        "  litert-xnnpack                       scale per channel, 99\n"
                        "                                       float32 to int8, uint8\n"));
}

TEST_F(QuantctlTest, HealthExitsWith0OnlyWhenServing) {
  EXPECT_EQ(RunHere({"health"}).output, "SERVING\n");
  EXPECT_EQ(RunHere({"health"}).exit_code, 0);
  server_.SetServing(false);
  EXPECT_EQ(RunHere({"health"}).output, "NOT_SERVING\n");
  EXPECT_EQ(RunHere({"health"}).exit_code, 1);
  EXPECT_EQ(RunHere({"health", "--service", "no.such.Service"}).exit_code, 1);
}

TEST_F(QuantctlTest, GlobalOptionsMayFollowTheCommand) {
  EXPECT_EQ(RunCommandLine({"info", "--server", server_.address()}).exit_code, 0);
}

TEST_F(QuantctlTest, FailedCallsShowReasonFieldAndFixButWriteNothing) {
  const CommandLineResult result =
      RunHere({"fake-quant", "--input", input_, "--min", "6", "--max", "-6", "--output", output_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error,
              StartsWith("quantctl: INVALID_ARGUMENT (INVALID_RANGE) at range.min[0]: "));
  EXPECT_THAT(result.error, HasSubstr("swap the two"));
  EXPECT_THAT(result.output, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(output_));
  EXPECT_THAT(RunHere({"fake-quant", "--input", input_, "--min", "0", "--max", "1", "--num-bits",
                       "99", "--output", output_})
                  .error,
              HasSubstr("at spec.num_bits"));
}

TEST_F(QuantctlTest, ExitsWith1IfFilesCannotBeReadOrWritten) {
  const std::string missing = folder_ / "missing.npy";
  const CommandLineResult no_input =
      RunHere({"fake-quant", "--input", missing, "--min", "0", "--max", "1", "--output", output_});
  EXPECT_EQ(no_input.exit_code, 1);
  EXPECT_THAT(no_input.error, HasSubstr(missing));
  const CommandLineResult no_output = RunHere({"fake-quant", "--input", input_, "--min", "0",
                                               "--max", "1", "--output", folder_ / "no" / "y.npy"});
  EXPECT_EQ(no_output.exit_code, 1);
  EXPECT_THAT(no_output.output, IsEmpty());
  const CommandLineResult matrix =
      RunHere({"fake-quant", "--input", input_, "--axis", "0", "--min-file", input_, "--max-file",
               input_, "--output", output_});
  EXPECT_EQ(matrix.exit_code, 1);
  EXPECT_THAT(matrix.error, HasSubstr("expected one"));
}

TEST(Quantctl, WrongUsageExitsWith2AndSaysWhatWasExpected) {
  const std::vector<std::string> fake_quant = {"fake-quant", "--input", "x", "--output", "y"};
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "range is missing"},
      {{"--min", "0"}, "--max is missing"},
      {{"--max", "0"}, "--min is missing"},
      {{"--min-file", "m"}, "--max-file is missing"},
      {{"--min", "0", "--max", "1", "--range-from-data"}, "given twice"},
      {{"--min", "0", "--max", "1", "--axis", "1"}, "--min-file"},
      {{"--min", "a", "--max", "1"}, "--min"},
      {{"--range-from-data", "--num-bits", "-1"}, "--num-bits"},
      {{"--range-from-data", "--numerics", "tensorflow2"},
       "--numerics: tensorflow2 not in {tensorflow,"},
      {{"--zero-point", "3"}, "--scale is missing"},
      {{"--scale", "1", "--axis", "0"}, "expected a file for --scale"},
      {{"--scale", "1", "--min", "0", "--max", "1"}, "given twice"},
      {{"--min", "0", "--max", "1", "--block-size", "2"}, "expected it only with --scale"},
      {{"--data-range"}, "--data-range"},
      {{"--scale", "1", "--precision", "int8"},
       "--precision: int8 not in {float32,float16,bfloat16}"},
      {{"--range-from-data", "--rounding", "up"}, "--rounding: up not in {half-to-even,half-up,"},
      {{"--range-from-data", "--colour"}, "--colour"},
      {{"--range-from-data", "--timeout", "0"}, "--timeout"}};
  for (const auto& [arguments, message] : cases) {
    std::vector<std::string> command = fake_quant;
    command.insert(command.end(), arguments.begin(), arguments.end());
    const CommandLineResult result = RunCommandLine(command);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_THAT(result.error, StartsWith("quantctl: "));
    EXPECT_THAT(result.error, HasSubstr(message));
    EXPECT_THAT(result.output, IsEmpty());
  }
}

TEST(Quantctl, RequiresAKnownCommandAndItsFiles) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {},
           {"no-such-command"},
           {"fake-quant"},
           {"train-range"},
           {"quantize", "--input", "x", "--output", "y"},
           {"quantize", "--input", "x", "--output", "y", "--scale", "1", "--symmetric"},
           {"quantize", "--input", "x", "--output", "y", "--scale", "1", "--output-type",
            "float32"},
           {"dequantize", "--input", "x", "--output", "y", "--range-from-data"},
           {"dequantize", "--input", "x", "--output", "y", "--scale", "1", "--packed"},
           {"dequantize", "--input", "x", "--output", "y", "--scale", "1", "--shape", "2"},
           {"info", "health"},
           {"train-range", "--input", "x", "--steps", "0"},
           {"train-range", "--input", "x", "--learning-rate", "-1"}}) {
    EXPECT_EQ(RunCommandLine(arguments).exit_code, 2);
    EXPECT_THAT(RunCommandLine(arguments).error, Not(IsEmpty()));
  }
}

TEST(Quantctl, HelpAndVersionGoToStandardOutputAndExitWith0) {
  EXPECT_THAT(RunCommandLine({"--version"}).output, StartsWith("quantctl "));
  EXPECT_THAT(RunCommandLine({"--version"}).output, EndsWith(")\n"));
  EXPECT_EQ(RunCommandLine({"--version"}).exit_code, 0);
  EXPECT_THAT(RunCommandLine({"--help"}).output, HasSubstr("fake-quant"));
  EXPECT_THAT(RunCommandLine({"fake-quant", "--help"}).output, HasSubstr("--range-from-data"));
  EXPECT_EQ(RunCommandLine({"fake-quant", "--help"}).exit_code, 0);
}

TEST(Quantctl, ErrorsNameTheServerThatDoesNotAnswer) {
  const CommandLineResult result =
      RunCommandLine({"--server", "unix:/nowhere/quantd.sock", "info"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error, StartsWith("quantctl: UNAVAILABLE: "));
  EXPECT_THAT(result.error, HasSubstr("unix:/nowhere/quantd.sock"));
}

}  // namespace
}  // namespace quantd::client
