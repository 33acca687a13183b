#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "client/library/npy.h"
#include "client/quantctl/interruption.h"
#include "tests/client/quantctl/command_line.h"
#include "tests/client/temporary_folder.h"
#include "tests/client/test_server.h"

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class QuantctlBenchTest : public ::testing::Test {
 protected:
  // Makes 20 calls without a warm-up unless the arguments say otherwise.
  CommandLineResult Bench(std::vector<std::string> arguments,
                          const CommandLineSetting& setting = {}) {
    const auto is_given = [&arguments](const std::string& name) {
      return std::ranges::any_of(
          arguments, [&](const std::string& argument) { return argument.starts_with(name); });
    };
    if (!is_given("--requests=")) {
      arguments.emplace_back("--requests=20");
    }
    if (!is_given("--warmup=")) {
      arguments.emplace_back("--warmup=0s");
    }
    arguments.insert(arguments.begin(), {"--server", server_.address(), "bench"});
    return RunCommandLine(arguments, setting);
  }

  json JsonOf(std::vector<std::string> arguments) {
    arguments.emplace_back("--output=json");
    return json::parse(Bench(std::move(arguments)).output);
  }

  // Makes the server's answers wrong in one element.
  void SpoilAnswers() {
    service_.edit_answer = [](grpc::ServerContext*, v1::FakeQuantizeResponse* response) {
      const float wrong = 42;
      std::memcpy(response->mutable_output()->mutable_data()->data() + 3 * sizeof(float), &wrong,
                  sizeof(wrong));
      return grpc::Status::OK;
    };
  }

  TestService service_;
  TestServer server_{&service_};
  TemporaryFolder folder_;
};

TEST_F(QuantctlBenchTest, PrintsFiguresAndAHistogram) {
  const CommandLineResult result = Bench({"--shape=8,4", "--axis=1"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.error, IsEmpty());
  EXPECT_THAT(
      result.output,
      AllOf(StartsWith("fake-quantize of float32 [8,4], 8 bits, per channel of axis 1, at " +
                       server_.address() +
                       " (quantd 1.2.3, AVX3, 2 worker threads)\n"
                       "closed loop, 8 calls under way, 1 connection\n"),
            HasSubstr("calls             20 in "), HasSubstr(", 0 errors\n"), HasSubstr("p99.99"),
            HasSubstr(" |#")));
}

TEST_F(QuantctlBenchTest, JsonHasTheDocumentedKeys) {
  const json result = JsonOf({"--rate=1000"});
  for (const char* key : {"calls", "errors", "calls_per_second", "gigabytes_per_second",
                          "offered_rate", "sent_rate", "saturated", "status_codes"}) {
    EXPECT_TRUE(result.contains(key)) << key;
  }
  for (const char* figures : {"latency_seconds", "service_time_seconds"}) {
    for (const char* key : {"p50", "p90", "p95", "p99", "p99_9", "p99_99", "max"}) {
      EXPECT_GT(result[figures][key], 0) << figures << " " << key;
    }
  }
  EXPECT_EQ(result["calls"], 20);
  EXPECT_EQ(result["offered_rate"], 1000);
  EXPECT_EQ(result["arrivals"], "constant");
  EXPECT_TRUE(JsonOf({})["offered_rate"].is_null());
}

TEST_F(QuantctlBenchTest, WrongAnswersAreShownAsErrorsAndExitWithCode3) {
  SpoilAnswers();
  const json result = JsonOf({"--verify", "--shape=100"});
  EXPECT_EQ(result["errors"], 20);
  EXPECT_EQ(result["status_codes"], json({{"WRONG_ANSWER", 20}}));
  const CommandLineResult text = Bench({"--verify", "--shape=100"});
  EXPECT_EQ(text.exit_code, 3);
  EXPECT_THAT(text.output,
              AllOf(HasSubstr("verified          20 answers, 20 wrong"),
                    HasSubstr("not good enough: 20 wrong answers; the first: output: element 3 is "
                              "42; expected ")));
}

TEST_F(QuantctlBenchTest, VerifiesEveryMethodWithEveryKindOfParameters) {
  struct Load {
    std::vector<std::string> arguments;
    std::string title;
  };
  for (const Load& load : std::vector<Load>{
           {{"--method=quantize"}, "quantize of float32 [6,5] to uint8, at "},
           {{"--method=quantize", "--num-bits=5", "--axis=1", "--output-type=int8"},
            "quantize of float32 [6,5] to int8, 5 bits, per channel of axis 1, at "},
           {{"--method=stream-quantize", "--numerics=onnx", "--axis=0", "--output-type=int4"},
            "stream-quantize of float32 [6,5] to int4, onnx, per channel of axis 0, at "},
           {{"--method=quantize", "--type=float16", "--axis=-1", "--block-size=2"},
            "quantize of float16 [6,5] to uint8, per block of axis -1, at "},
           {{"--method=quantize", "--numerics=tensorflow-uniform", "--output-type=int8"},
            "quantize of float32 [6,5] to int8, tensorflow-uniform, at "},
           // Quotients of more bits than these types have.
           {{"--method=quantize", "--type=float16", "--precision=float16", "--scale=0.0003",
             "--output-type=int16"},
            "quantize of float16 [6,5] to int16, at "},
           {{"--type=bfloat16", "--precision=bfloat16", "--scale=0.0003", "--num-bits=16"},
            "fake-quantize of bfloat16 [6,5], 16 bits, at "},
           {{"--method=dequantize"}, "dequantize of uint8 [6,5] to float32, at "},
           {{"--method=dequantize", "--type=int4", "--output-type=bfloat16", "--numerics=onnx"},
            "dequantize of int4 [6,5] to bfloat16, onnx, at "},
           {{"--method=stream-dequantize", "--type=int32", "--scale=0.001"},
            "stream-dequantize of int32 [6,5] to float32, at "},
           {{"--type=bfloat16"}, "fake-quantize of bfloat16 [6,5], 8 bits, at "},
           {{"--type=float64", "--numerics=pytorch"},
            "fake-quantize of float64 [6,5], 8 bits, pytorch, at "},
           {{"--method=gradient", "--numerics=keras-jax", "--axis=1"},
            "gradient of float32 [6,5], 8 bits, keras-jax, per channel of axis 1, at "}}) {
    std::vector<std::string> arguments = load.arguments;
    arguments.insert(arguments.end(), {"--verify", "--shape=6,5"});
    const CommandLineResult result = Bench(arguments);
    EXPECT_EQ(result.exit_code, 0) << load.title << result.error << result.output;
    EXPECT_THAT(result.output, StartsWith(load.title));
    EXPECT_THAT(result.output, HasSubstr("verified          20 answers, 0 wrong"));
  }
}

TEST_F(QuantctlBenchTest, FindsWrongCodes) {
  service_.edit_quantize_answer = [](grpc::ServerContext*, v1::QuantizeResponse* response) {
    ++response->mutable_output()->mutable_data()->at(3);
    return grpc::Status::OK;
  };
  const CommandLineResult result =
      Bench({"--method=quantize", "--numerics=onnx", "--verify", "--shape=100"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.output, HasSubstr("20 wrong answers; the first: output: element 3 is "));
}

TEST_F(QuantctlBenchTest, VerifiesAShareOfTheAnswers) {
  SpoilAnswers();
  EXPECT_EQ(JsonOf({"--verify=25%", "--shape=100"})["errors"], 5);
  EXPECT_EQ(JsonOf({"--verify=0.5", "--shape=100"})["verified_answers"], 10);
  EXPECT_EQ(JsonOf({"--shape=100"})["errors"], 0);
}

TEST_F(QuantctlBenchTest, ExitsWithCode1IfNoCallSucceeds) {
  service_.edit_answer = [](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "out for lunch");
  };
  const CommandLineResult result = Bench({});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.output,
              HasSubstr("! 20 calls ended with UNAVAILABLE; the first: out for lunch\n"));
  EXPECT_EQ(Bench({"--fail-if=error_rate>=100%"}).exit_code, 3);
}

TEST_F(QuantctlBenchTest, ShowsProgressOnATerminal) {
  const CommandLineResult result =
      Bench({"--requests=1000000", "--duration=600ms"}, {.is_watched = true});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.error,
              AllOf(HasSubstr("] "), HasSubstr(" calls/s, p99 "), HasSubstr(", 0 errors")));
  EXPECT_THAT(Bench({}).error, IsEmpty());
}

TEST_F(QuantctlBenchTest, ReportsItsResultWhenInterrupted) {
  Interruption interruption;
  EXPECT_FALSE(interruption.Request()) << "no command handles it";
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    interruption.Request();
    return grpc::Status::OK;
  };
  const CommandLineResult result =
      Bench({"--requests=1000000000", "--rate=100"}, {.interruption = &interruption});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("! interrupted"));
  EXPECT_FALSE(interruption.Request()) << "it was already interrupted";
}

TEST_F(QuantctlBenchTest, WritesASelfContainedPage) {
  const std::string path = folder_ / "report.html";
  EXPECT_EQ(Bench({"--report", path, "--fail-if=max<1h"}).exit_code, 3);
  std::ifstream file(path);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(page,
              AllOf(StartsWith("<!DOCTYPE html>"), HasSubstr("<svg"),
                    HasSubstr("Not good enough: max&lt;1h (max is "), Not(HasSubstr("<script")),
                    Not(HasSubstr("src=")), Not(HasSubstr("http://"))));
}

TEST_F(QuantctlBenchTest, RefusesAReportThatCannotBeWrittenBeforeTheRun) {
  std::atomic<int> calls = 0;
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    ++calls;
    return grpc::Status::OK;
  };
  struct Path {
    std::string path;
    std::string error;
  };
  // Nobody can make a file in /proc.
  for (const Path& bad : std::vector<Path>{
           {"/nowhere/report.html", "there is no folder /nowhere; expected an existing one"},
           {folder_.path().string(), " cannot be written (this is a folder;"},
           {"/proc/report.html", "/proc/report.html cannot be written (cannot open the file"},
           {"/dev/fd/9999", "/dev/fd/9999 cannot be written"}}) {
    const CommandLineResult result = Bench({"--report", bad.path});
    EXPECT_EQ(result.exit_code, 2) << bad.path;
    EXPECT_THAT(result.error, HasSubstr(bad.error));
    EXPECT_THAT(result.output, IsEmpty());
  }
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(folder_.FileCount(), 0U);
}

TEST_F(QuantctlBenchTest, FailsTheConditionOnLatencyIfCallsFailed) {
  std::atomic<int> calls = 0;
  service_.edit_answer = [&](grpc::ServerContext*, v1::FakeQuantizeResponse*) {
    return calls++ % 2 == 0 ? grpc::Status(grpc::StatusCode::INTERNAL, "oops") : grpc::Status::OK;
  };
  const CommandLineResult result = Bench({"--fail-if=p99>1h"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.output, HasSubstr("not good enough: p99>1h (p99 is infinite: 10 of 20 calls "
                                       "failed, and a call that failed counts as one that is "
                                       "never answered)\n"));
}

TEST_F(QuantctlBenchTest, InvalidOptionsAreUsageErrorsThatSayWhatWasExpected) {
  struct Case {
    std::vector<std::string> arguments;
    std::string error;
  };
  for (const Case& bad : std::vector<Case>{
           {{"--rate=0"}, "--rate: \"0\" is not valid; expected a number from "},
           {{"--rate=fast"}, "--rate: \"fast\" is not valid"},
           {{"--concurrency=0"}, "expected a whole number from 1 to 65536"},
           {{"--concurrency=1.5"}, "expected a whole number"},
           {{"--connections=0"}, "--connections: \"0\""},
           {{"--duration=10"},
            "--duration: \"10\" is not a valid duration; expected a number with its unit"},
           {{"--duration=0s"}, "--duration is 0"},
           {{"--warmup=-1s"}, "--warmup: \"-1s\""},
           {{"--shape=4,x"}, "--shape: \"4,x\" is not a valid shape"},
           {{"--shape=-4"}, "--shape: \"-4\" is not a valid shape"},
           {{"--shape=99999999999,99999999999"},
            "is too large; expected a tensor of at most 512 MiB"},
           {{"--mix=4KiB"}, "--mix: \"4KiB\" is not a valid part of a mix; expected WEIGHT:SIZE"},
           {{"--mix=0:4KiB"}, "is not a valid part of a mix"},
           {{"--mix=1:3"}, "expected a multiple of 4 bytes"},
           {{"--mix=1:4KiB", "--input=x.npy"}, "the tensors are given twice"},
           {{"--mix=1:4KiB", "--axis=0"}, "--axis cannot be used with --mix"},
           {{"--sweep-rate=1..2"}, "--sweep-rate has no step"},
           {{"--sweep-rate=5"}, "--sweep-rate: \"5\" is not a valid sweep"},
           {{"--sweep-rate=5..1:1"}, "--sweep-rate ends before it begins"},
           {{"--sweep-rate=1..1000000:1"}, "--sweep-rate has over 1000 steps"},
           {{"--sweep-concurrency=1..4", "--rate=5"}, "the load is given twice"},
           {{"--sweep-concurrency=1..4", "--concurrency=5"}, "--concurrency are both given"},
           {{"--find-max-rate"}, "--find-max-rate and --latency-target belong together"},
           {{"--latency-target=p99=5ms"}, "belong together"},
           {{"--find-max-rate", "--latency-target=p99"},
            "is not a valid latency target; expected FIGURE="},
           {{"--find-max-rate", "--latency-target=p99=5ms"}, "--requests cannot be used with"},
           {{"--fail-if=p99"}, "\"p99\" is not a valid condition; expected FIGURE"},
           {{"--verify=120%"}, "--verify: \"120%\" is not a valid share"},
           {{"--method=dream"}, "--method"},
           {{"--arrivals=late"}, "--arrivals"},
           {{"--output=xml"}, "--output"},
           {{"--type=int7"}, "--type"},
           {{"--min=1"}, "--max is missing"},
           {{"--output-type=int8"}, "fake-quantize keeps the type of its tensors"},
           {{"--method=dequantize", "--range-from-data"}, "expected the range that the codes"},
           {{"--method=stream-gradient", "--connections=9"}, "at least one message per connection"},
       }) {
    const CommandLineResult result = Bench(bad.arguments);
    EXPECT_EQ(result.exit_code, 2) << bad.arguments.front();
    EXPECT_THAT(result.error, HasSubstr(bad.error)) << bad.arguments.front();
    EXPECT_THAT(result.output, IsEmpty());
  }
}

TEST_F(QuantctlBenchTest, WarnsOfChannelsOfZerosInItsInput) {
  const std::string path = folder_ / "x.npy";
  ASSERT_TRUE(WriteNpy(path, std::vector<std::int64_t>{2, 2}, std::vector<float>{0, 3, 0, 5}).ok());
  for (const std::string flag : {"--range-from-data", "--verify"}) {
    const CommandLineResult result =
        Bench({"--input", path, "--axis=1", "--numerics=keras-jax", flag});
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_THAT(result.output, HasSubstr("\n! channel 0 has only zeros"));
  }
}

TEST_F(QuantctlBenchTest, RejectsInvalidRequestsBeforeTheLoad) {
  const CommandLineResult result = Bench({"--num-bits=1"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error, HasSubstr("INVALID_NUM_BITS"));
}

}  // namespace
}  // namespace quantd::client
