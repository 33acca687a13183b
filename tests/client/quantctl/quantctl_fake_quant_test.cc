// Tests the commands of fake quantization: fake-quant, gradient and train-range.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "client/library/npy.h"
#include "core/fake_quantization.h"
#include "core/reference.h"
#include "tests/client/quantctl/command_line.h"
#include "tests/client/quantctl/quantctl_fixture.h"

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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

TEST_F(QuantctlTest, TheRangeOfTheDataIncludesZeroSoThatNothingIsClipped) {
  for (const float sign : {1.0F, -1.0F}) {
    const std::string one_sided =
        Save("one_sided.npy", {4}, {sign * 100, sign * 101, sign * 102.5F, sign * 103});
    const json result =
        JsonOf({"fake-quant", "--input", one_sided, "--range-from-data", "--output", output_});
    EXPECT_LE(result["clipped_share"], 0.25);
    EXPECT_LE(result["max_abs_error"], 0.5 * 103 / 255 + 1e-4);
  }
}

TEST_F(QuantctlTest, ChannelsOfOneValueOrOfZerosDoNotFailTheTensor) {
  const std::string file =
      Save("channels.npy", {2, 5}, {0.1F, -7, 0, 1e-37F, 1, 0.1F, -7, 0, 0, 2});
  for (const std::string numerics : {"tensorflow", "tensorflow-xla", "keras-jax"}) {
    const CommandLineResult result =
        RunHere({"fake-quant", "--input", file, "--range-from-data", "--axis", "1", "--numerics",
                 numerics, "--output", output_});
    ASSERT_EQ(result.exit_code, 0) << result.error;
    EXPECT_EQ(result.error,
              "quantctl: warning: channels 2, 3 have only zeros, or values too close to 0 for a "
              "scale, which become zeros; the range is taken as 0 to 1\n");
    EXPECT_THAT(result.output, HasSubstr("clipped           0 %\n"));
    const std::vector<float> written = Written();
    EXPECT_THAT(std::vector(written.begin() + 1, written.begin() + 4), ElementsAre(-7, 0, 0));
    EXPECT_THAT(std::vector(written.begin() + 6, written.begin() + 9), ElementsAre(-7, 0, 0));
    EXPECT_FLOAT_EQ(written[0], 0.1F);
  }
}

TEST_F(QuantctlTest, ATensorOfZerosIsQuantizedWithAWarning) {
  const std::string zeros = Save("zeros.npy", {3}, {0, 0, 0});
  const CommandLineResult result = RunHere({"quantize", "--input", zeros, "--range-from-data",
                                            "--numerics", "tensorflow-xla", "--output", output_});
  ASSERT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.error, HasSubstr("quantctl: warning: the tensor has only zeros"));
  EXPECT_THAT(WrittenCodes(), ElementsAre(0, 0, 0));
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

TEST_F(QuantctlTest, TrainRangeLeavesChannelsOfZerosAsTheyAre) {
  const std::string file = Save("channels.npy", {2, 3}, {0, 1e-37F, 1, 0, 0, 2});
  const json trained = JsonOf({"train-range", "--input", file, "--axis", "1", "--steps", "3"});
  EXPECT_EQ(trained["min"], json({0.0, 0.0, 0.0}));
  EXPECT_EQ(trained["max"][0], 0.0);
  EXPECT_EQ(trained["max"][1], 0.0);
  EXPECT_GT(trained["max"][2], 1.5);
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

}  // namespace
}  // namespace quantd::client
