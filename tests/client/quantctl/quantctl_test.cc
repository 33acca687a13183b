#include "client/quantctl/quantctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/library/npy.h"
#include "core/fake_quantization.h"
#include "core/reference.h"
#include "tests/client/quantctl/command_line.h"
#include "tests/client/temporary_folder.h"
#include "tests/client/test_server.h"

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> KeysOf(const json& object) {
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

  json JsonOf(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const CommandLineResult result = RunHere(std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.error;
    EXPECT_THAT(result.error, IsEmpty());
    return json::parse(result.output);
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

TEST_F(QuantctlTest, FakeQuantWritesTheTensorAndPrintsRangeAndErrorAsJson) {
  const json result = JsonOf({"fake-quant", "--input", input_, "--min", "-6", "--max", "6",
                              "--num-bits", "4", "--narrow-range", "--output", output_});
  EXPECT_THAT(KeysOf(result),
              ElementsAre("clipped_share", "max_abs_error", "nudged_range", "numerics", "sqnr_db"));
  EXPECT_EQ(result["numerics"], "tensorflow");
  EXPECT_THAT(KeysOf(result["nudged_range"]), ElementsAre("max", "min", "scale", "zero_point"));
  EXPECT_EQ(result["nudged_range"]["zero_point"], json({8}));
  EXPECT_NEAR(result["clipped_share"].get<double>(), 1.0 / 6, 1e-12);
  EXPECT_EQ(result["max_abs_error"], 1.0);

  const float min = -6;
  const float max = 6;
  const auto expected = core::reference::FakeQuantize(
      shape_, std::span<const float>(values_), core::Range{.min = {&min, 1}, .max = {&max, 1}},
      {.num_bits = 4, .narrow_range = true});
  EXPECT_THAT(Written(), ElementsAreArray(*expected));
  EXPECT_EQ(ReadNpy(output_)->shape, shape_);
}

TEST_F(QuantctlTest, FakeQuantReadsOneRangePerChannelFromFiles) {
  const json result = JsonOf({"fake-quant", "--input", input_, "--axis", "-1", "--min-file",
                              Save("min.npy", {3}, {-7, -1, 0}), "--max-file",
                              Save("max.npy", {3}, {7, 3, 6}), "--output", output_});
  EXPECT_EQ(result["nudged_range"]["min"].size(), 3U);
  EXPECT_EQ(result["clipped_share"], 0.0);
}

TEST_F(QuantctlTest, FakeQuantCanUseTheRangeOfTheData) {
  const json whole =
      JsonOf({"fake-quant", "--input", input_, "--range-from-data", "--output", output_});
  EXPECT_NEAR(whole["nudged_range"]["min"][0].get<double>(), -7, 0.05);
  EXPECT_NEAR(whole["nudged_range"]["max"][0].get<double>(), 6, 0.05);
  const json rows = JsonOf(
      {"fake-quant", "--input", input_, "--range-from-data", "--axis", "0", "--output", output_});
  EXPECT_EQ(rows["nudged_range"]["max"].size(), 2U);
}

TEST_F(QuantctlTest, NonFiniteFiguresAreNullInJsonAndWordsInTheTable) {
  const std::string zeros = Save("zeros.npy", {2}, {0, 0});
  const std::vector<std::string> command = {"fake-quant", "--input", zeros,      "--min", "0",
                                            "--max",      "0",       "--output", output_};
  EXPECT_TRUE(JsonOf(command)["sqnr_db"].is_null());
  EXPECT_THAT(RunHere(command).output, HasSubstr("undefined"));
}

TEST_F(QuantctlTest, AcceptsNegativeNumbersInAllForms) {
  for (const std::string min : {"-6", "-.5", "-1e0", "-6.25"}) {
    EXPECT_EQ(
        RunHere({"fake-quant", "--input", input_, "--min", min, "--max", "6", "--output", output_})
            .exit_code,
        0)
        << min;
  }
}

TEST_F(QuantctlTest, NumericsDetermineTheResult) {
  // These values are halfway between two codes, where the two kinds differ.
  const float min = -0.1F;
  const float max = 0.9F;
  const core::Range range{.min = {&min, 1}, .max = {&max, 1}, .axis = {}};
  const float scale = core::FakeQuantization::Create(range, {})->nudged_range()->scale[0];
  std::vector<float> values;
  values.reserve(225);
  for (int code = 0; code < 225; ++code) {
    values.push_back((static_cast<float>(code) + 0.5F) * scale);
  }
  const std::string halves = Save("halves.npy", {225}, values);
  std::vector<std::vector<float>> outputs;
  for (const std::string numerics : {"tensorflow", "tensorflow-args"}) {
    ASSERT_EQ(RunHere({"fake-quant", "--input", halves, "--min", "-0.1", "--max", "0.9",
                       "--numerics", numerics, "--output", output_})
                  .exit_code,
              0);
    outputs.push_back(Written());
  }
  EXPECT_THAT(outputs[0], Not(ElementsAreArray(outputs[1])));
  EXPECT_THAT(outputs[1], ElementsAreArray(*core::reference::FakeQuantize(
                              std::vector<std::int64_t>{225}, std::span<const float>(values), range,
                              {.numerics = core::Numerics::kTensorFlowArgs})));
}

TEST_F(QuantctlTest, TablesOfManyChannelsAreShortened) {
  const std::string wide = Save("wide.npy", {1, 1000}, std::vector<float>(1000, 0.0F));
  const CommandLineResult result = RunHere(
      {"fake-quant", "--input", wide, "--range-from-data", "--axis", "1", "--output", output_});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_LT(std::count(result.output.begin(), result.output.end(), '\n'), 30);
  EXPECT_THAT(result.output, HasSubstr("984 more"));
  EXPECT_THAT(result.output, HasSubstr("999"));
}

TEST_F(QuantctlTest, GradientWritesInputGradientsAndPrintsRangeGradients) {
  const std::string gradients = Save("g.npy", shape_, {1, 2, 3, 4, 5, 6});
  const json result = JsonOf({"gradient", "--gradients", gradients, "--inputs", input_, "--min",
                              "-2", "--max", "2", "--output", output_});
  EXPECT_THAT(KeysOf(result),
              ElementsAre("max_gradient", "min_gradient", "nudged_range", "numerics"));
  EXPECT_EQ(result["min_gradient"], json({1.0}));
  EXPECT_EQ(result["max_gradient"], json({11.0}));
  EXPECT_THAT(Written(), ElementsAre(0, 2, 3, 4, 0, 0));
  EXPECT_THAT(RunHere({"gradient", "--gradients", gradients, "--inputs", input_, "--min", "-2",
                       "--max", "2", "--output", output_})
                  .output,
              HasSubstr("max gradient"));
}

TEST_F(QuantctlTest, FakeQuantAcceptsAScaleWithEveryNumericsThatTakesOne) {
  const std::string scales = Save("scales.npy", {3}, {0.5F, 0.25F, 1});
  for (const std::string numerics : {"onnx", "pytorch", "litert", "litert-xnnpack"}) {
    const json result = JsonOf({"fake-quant", "--input", input_, "--scale", "0.5", "--zero-point",
                                "100", "--numerics", numerics, "--output", output_});
    EXPECT_THAT(KeysOf(result),
                ElementsAre("clipped_share", "max_abs_error", "numerics", "parameters", "sqnr_db"));
    EXPECT_EQ(result["numerics"], numerics);
    EXPECT_EQ(result["parameters"]["zero_point"], json({100}));
    EXPECT_THAT(Written(), ElementsAre(-7, -1, 0, 1.5F, 2.5F, 6)) << numerics;
  }
  const json per_channel =
      JsonOf({"fake-quant", "--input", input_, "--scale", scales, "--axis", "1", "--output",
              output_, "--quant-min", "-4", "--quant-max", "3"});
  EXPECT_EQ(per_channel["numerics"], "onnx");
  EXPECT_THAT(Written(), ElementsAre(-2, -1, 0, 1.5F, 0.75F, 3));
  // -7, 2.5 and 6 lie beyond the values of their codes.
  EXPECT_EQ(per_channel["clipped_share"], 0.5);
}

TEST_F(QuantctlTest, FakeQuantTakesSignAndRoundingOfQuantizeAndDequantize) {
  const std::vector<std::string> command = {"fake-quant",
                                            "--input",
                                            Save("ties.npy", {3}, {0.5F, 1.5F, -0.5F}),
                                            "--min",
                                            "-128",
                                            "--max",
                                            "127",
                                            "--numerics",
                                            "tensorflow-quantize-and-dequantize",
                                            "--signed-input",
                                            "--output",
                                            output_};
  ASSERT_EQ(RunHere(command).exit_code, 0) << RunHere(command).error;
  EXPECT_THAT(Written(), ElementsAre(0, 2, 0));
  std::vector<std::string> half_up = command;
  half_up.insert(half_up.end(), {"--rounding", "half-up"});
  ASSERT_EQ(RunHere(half_up).exit_code, 0);
  EXPECT_THAT(Written(), ElementsAre(1, 2, 0));
}

TEST_F(QuantctlTest, QuantizeMeasuresTheErrorByTheValuesOfItsOwnNumerics) {
  // Their zero lies halfway between two codes.
  const json result = JsonOf({"quantize", "--input", Save("codes.npy", {3}, {-1, 1.0F / 255, 1}),
                              "--min", "-1", "--max", "1", "--numerics",
                              "tensorflow-quantize-v2-min-combined", "--output", output_});
  EXPECT_EQ(result["nudged_range"]["min"], json({-1.0F}));
  EXPECT_LT(result["max_abs_error"].get<double>(), 1e-6);
}

TEST_F(QuantctlTest, FakeQuantKeepsTheTypeOfTheFile) {
  const Elements half = FromFloats(values_, core::ElementType::kFloat16);
  ASSERT_TRUE(WriteNpy(input_, shape_, half).ok());
  ASSERT_EQ(RunHere({"fake-quant", "--input", input_, "--range-from-data", "--output", output_})
                .exit_code,
            0);
  EXPECT_EQ(ReadNpy(output_)->elements.type(), core::ElementType::kFloat16);
}

TEST_F(QuantctlTest, Bfloat16IsReadAndWrittenAsUint16IfTypeSaysSo) {
  const Elements brain = FromFloats(values_, core::ElementType::kBFloat16);
  ASSERT_TRUE(WriteNpy(input_, shape_, brain, {.bfloat16_as_uint16 = true}).ok());
  std::vector<std::string> command = {"fake-quant", "--input", input_,     "--min", "-6",
                                      "--max",      "6",       "--output", output_};
  EXPECT_THAT(RunHere(command).error, HasSubstr("expected floats: dequantize codes first, or say "
                                                "--type bfloat16"));
  command.insert(command.end(), {"--type", "bfloat16"});
  ASSERT_EQ(RunHere(command).exit_code, 0);
  const auto written = ReadNpy(output_);
  EXPECT_EQ(written->elements.type(), core::ElementType::kUint16);
  const auto values = Interpret(*written, {.type = core::ElementType::kBFloat16}, output_);
  EXPECT_NEAR(ToFloats(values->elements)[0], -6, 0.05);

  ASSERT_TRUE(WriteNpy(input_, shape_, brain).ok());
  command.resize(command.size() - 2);
  ASSERT_EQ(RunHere(command).exit_code, 0);
  EXPECT_EQ(ReadNpy(output_)->elements.type(), core::ElementType::kBFloat16);
}

TEST_F(QuantctlTest, QuantizeWritesCodesAndPrintsParametersAndErrorAsJson) {
  const json result = JsonOf({"quantize", "--input", input_, "--scale", "0.5", "--zero-point", "3",
                              "--output-type", "int8", "--output", output_});
  EXPECT_THAT(KeysOf(result),
              ElementsAre("clipped_share", "max_abs_error", "numerics", "parameters", "sqnr_db"));
  EXPECT_EQ(result["numerics"], "onnx");
  EXPECT_EQ(
      result["parameters"],
      json({{"scale", {0.5}}, {"zero_point", {3}}, {"axis", nullptr}, {"block_size", nullptr}}));
  EXPECT_NEAR(result["max_abs_error"].get<double>(), 0.2, 1e-6);
  EXPECT_EQ(result["clipped_share"], 0.0);
  EXPECT_EQ(ReadNpy(output_)->elements.type(), core::ElementType::kInt8);
  EXPECT_EQ(ReadNpy(output_)->shape, shape_);
  EXPECT_THAT(WrittenCodes(), ElementsAre(-11, 1, 3, 6, 8, 15));
}

TEST_F(QuantctlTest, QuantizeWithARangePrintsItToo) {
  const std::vector<std::string> command = {"quantize", "--input",  input_, "--min",
                                            "-6",       "--max",    "6",    "--num-bits",
                                            "4",        "--output", output_};
  const json result = JsonOf(command);
  EXPECT_EQ(result["nudged_range"]["zero_point"], json({8}));
  EXPECT_EQ(result["parameters"]["zero_point"], json({8}));
  EXPECT_NEAR(result["clipped_share"].get<double>(), 2.0 / 6, 1e-12);
  EXPECT_THAT(WrittenCodes(), ElementsAre(0, 7, 8, 10, 11, 15));
  EXPECT_THAT(RunHere(command).output, AllOf(HasSubstr("nudged min"), HasSubstr("zero point"),
                                             HasSubstr("tensorflow"), HasSubstr("SQNR")));
}

TEST_F(QuantctlTest, DequantizeIsTheInverseOfQuantizeWithTheFilesThatItWrote) {
  const std::string codes = folder_ / "codes.npy";
  const std::string scale = folder_ / "scale.npy";
  const std::string zero_point = folder_ / "zero_point.npy";
  const json quantized =
      JsonOf({"quantize", "--input", input_, "--data-range", "--numerics", "onnx", "--output",
              codes, "--scale-output", scale, "--zero-point-output", zero_point});
  EXPECT_EQ(quantized["parameters"]["zero_point"], json({137}));
  const json result = JsonOf({"dequantize", "--input", codes, "--scale", scale, "--zero-point",
                              zero_point, "--output", output_});
  EXPECT_EQ(result, json({{"numerics", "onnx"}, {"shape", {2, 3}}}));
  EXPECT_EQ(ReadNpy(output_)->shape, shape_);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    EXPECT_NEAR(Written()[i], values_[i], quantized["max_abs_error"].get<double>() + 1e-6);
  }
}

TEST_F(QuantctlTest, QuantizeAndDequantizePackCodesOfFourBits) {
  const std::string codes = folder_ / "codes.npy";
  const std::vector<std::string> quantize = {"quantize",      "--input", input_,     "--scale", "1",
                                             "--output-type", "int4",    "--output", codes};
  ASSERT_EQ(RunHere(quantize).exit_code, 0);
  EXPECT_EQ(ReadNpy(codes)->elements.type(), core::ElementType::kInt8);
  EXPECT_EQ(ReadNpy(codes)->shape, shape_);
  const std::vector<std::string> dequantize = {
      "dequantize", "--input", codes, "--type", "int4", "--scale", "1", "--output", output_};
  ASSERT_EQ(RunHere(dequantize).exit_code, 0);
  EXPECT_THAT(Written(), ElementsAre(-7, -1, 0, 1, 2, 6));

  std::vector<std::string> packed = quantize;
  packed.emplace_back("--packed");
  ASSERT_EQ(RunHere(packed).exit_code, 0);
  EXPECT_THAT(ReadNpy(codes)->elements.values<std::uint8_t>(), ElementsAre(0xF9, 0x10, 0x62));
  std::vector<std::string> unpacked = dequantize;
  unpacked.insert(unpacked.end(), {"--packed", "--shape", "2,3"});
  ASSERT_EQ(RunHere(unpacked).exit_code, 0);
  EXPECT_THAT(Written(), ElementsAre(-7, -1, 0, 1, 2, 6));
  EXPECT_EQ(ReadNpy(output_)->shape, shape_);
}

TEST_F(QuantctlTest, QuantizesInBlocksWithScalesOfAnyShape) {
  const std::string scales = Save("scales.npy", {2, 2}, {1, 0.5F, 0.25F, 2});
  const json result = JsonOf({"quantize", "--input", input_, "--scale", scales, "--axis", "-1",
                              "--block-size", "2", "--output-type", "int8", "--output", output_});
  EXPECT_EQ(result["parameters"]["block_size"], 2);
  EXPECT_THAT(WrittenCodes(), ElementsAre(-7, -1, 0, 5, 10, 3));
  EXPECT_NEAR(result["max_abs_error"].get<double>(), 0.05, 1e-6);
  EXPECT_THAT(RunHere({"quantize", "--input", input_, "--scale", scales, "--axis", "-1",
                       "--block-size", "2", "--output-type", "int8", "--output", output_})
                  .output,
              HasSubstr("block"));
}

TEST_F(QuantctlTest, TheErrorOfBlocksCountsWhatTheirCodesCannotReach) {
  const std::string scales = Save("scales.npy", {2, 2}, {1, 0.5F, 0.25F, 2});
  const json result = JsonOf({"quantize", "--input", input_, "--scale", scales, "--axis", "1",
                              "--block-size", "2", "--output-type", "int4", "--output", output_});
  // 2.5 is more than 7 steps of 0.25.
  EXPECT_NEAR(result["clipped_share"].get<double>(), 1.0 / 6, 1e-12);
  EXPECT_NEAR(result["max_abs_error"].get<double>(), 0.75, 1e-6);
}

TEST_F(QuantctlTest, DequantizeGivesTheTypeThatWasAskedFor) {
  const std::string codes = folder_ / "codes.npy";
  ASSERT_TRUE(WriteNpy(codes, std::vector<std::int64_t>{2},
                       FromCodes(std::vector<std::int32_t>{3, 200}, core::ElementType::kUint8))
                  .ok());
  for (const core::ElementType type : {core::ElementType::kFloat16, core::ElementType::kBFloat16}) {
    ASSERT_EQ(RunHere({"dequantize", "--input", codes, "--min", "-1", "--max", "1", "--output-type",
                       std::string(core::RowOf(type).name), "--output", output_})
                  .exit_code,
              0);
    EXPECT_EQ(ReadNpy(output_)->elements.type(), type);
  }
}

TEST_F(QuantctlTest, ParameterFilesOfTheWrongTypeAreNamed) {
  const std::string codes = folder_ / "codes.npy";
  ASSERT_TRUE(WriteNpy(codes, std::vector<std::int64_t>{2},
                       FromCodes(std::vector<std::int32_t>{3, 2}, core::ElementType::kUint8))
                  .ok());
  EXPECT_THAT(
      RunHere({"quantize", "--input", input_, "--scale", codes, "--axis", "0", "--output", output_})
          .error,
      AllOf(HasSubstr(codes), HasSubstr("elements of type uint8; expected float32")));
  const std::string scales = Save("scales.npy", {2}, {1, 2});
  EXPECT_THAT(RunHere({"quantize", "--input", input_, "--scale", scales, "--zero-point", scales,
                       "--axis", "0", "--output", output_})
                  .error,
              HasSubstr("elements of type float32; expected int32"));
}

TEST_F(QuantctlTest, GradientWithAScaleHasNoGradientsOfARange) {
  const json result = JsonOf({"gradient", "--gradients", input_, "--inputs", input_, "--scale",
                              "0.01", "--numerics", "pytorch", "--output", output_});
  EXPECT_THAT(KeysOf(result), ElementsAre("max_gradient", "min_gradient", "numerics"));
  EXPECT_EQ(result["min_gradient"], json::array());
  EXPECT_THAT(Written(), ElementsAre(0, 0, 0, 1.3F, 2.5F, 0));
}

TEST_F(QuantctlTest, TrainRangePrintsTheRangeAndWritesItForFakeQuant) {
  const std::string min_file = folder_ / "min.npy";
  const std::string max_file = folder_ / "max.npy";
  const json trained =
      JsonOf({"train-range", "--input", input_, "--num-bits", "3", "--axis", "0", "--steps", "40",
              "--min-output", min_file, "--max-output", max_file});
  EXPECT_THAT(KeysOf(trained),
              ElementsAre("max", "min", "sqnr_db_after", "sqnr_db_before", "steps"));
  EXPECT_EQ(trained["steps"], 40);
  EXPECT_GE(trained["sqnr_db_after"], trained["sqnr_db_before"]);

  const json applied =
      JsonOf({"fake-quant", "--input", input_, "--num-bits", "3", "--axis", "0", "--min-file",
              min_file, "--max-file", max_file, "--output", output_});
  EXPECT_NEAR(applied["sqnr_db"].get<double>(), trained["sqnr_db_after"].get<double>(), 1e-9);
}

TEST_F(QuantctlTest, TrainRangeShowsItsLossOnlyOnATerminal) {
  const std::vector<std::string> command = {"train-range", "--input", input_, "--steps", "3"};
  EXPECT_THAT(RunHere(command, true).error, HasSubstr("3/3 loss "));
  EXPECT_THAT(RunHere(command, false).error, IsEmpty());
}

TEST_F(QuantctlTest, LargeTensorsShowTheirProgressOnlyOnATerminal) {
  const std::vector<float> values(std::size_t{4} << 20U, 0.5F);
  const std::string large = Save("large.npy", {static_cast<std::int64_t>(values.size())}, values);
  const std::vector<std::vector<std::string>> commands = {
      {"fake-quant", "--input", large, "--min", "-1", "--max", "1", "--output", output_},
      {"gradient", "--gradients", large, "--inputs", large, "--min", "-1", "--max", "1", "--output",
       output_}};
  for (const std::vector<std::string>& command : commands) {
    EXPECT_THAT(RunHere(command, true).error, HasSubstr("/16 MiB"));
    EXPECT_THAT(RunHere(command, false).error, IsEmpty());
  }
}

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
      {{"--scale", "1", "--precision", "int8"}, "--precision: int8 not in {float32,float16}"},
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
