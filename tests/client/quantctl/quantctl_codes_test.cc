// Tests the commands of codes: quantize and dequantize.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/library/npy.h"
#include "tests/client/quantctl/quantctl_fixture.h"

namespace quantd::client {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

TEST_F(QuantctlTest, QuantizeMeasuresTheErrorByTheValuesOfItsOwnNumerics) {
  // Their zero lies halfway between two codes.
  const json result = JsonOf({"quantize", "--input", Save("codes.npy", {3}, {-1, 1.0F / 255, 1}),
                              "--min", "-1", "--max", "1", "--numerics",
                              "tensorflow-quantize-v2-min-combined", "--output", output_});
  EXPECT_EQ(result["nudged_range"]["min"], json({-1.0F}));
  EXPECT_LT(result["max_abs_error"].get<double>(), 1e-6);
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

}  // namespace
}  // namespace quantd::client
