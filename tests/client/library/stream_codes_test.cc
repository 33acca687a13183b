// Tests calls that send tensors in parts: codes, by scale, by range and in blocks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "client/library/client.h"
#include "core/base/error.h"
#include "core/parameter_layout.h"
#include "core/reference.h"
#include "tests/client/library/tensor_in_parts.h"
#include "tests/core/same_bits.h"

namespace quantd::client {
namespace {

using ::testing::StartsWith;

// Parameters of scales for a tensor.
class RandomScales {
 public:
  RandomScales(std::span<const std::int64_t> shape, std::optional<std::int32_t> axis,
               std::optional<std::uint32_t> block_size)
      : affine_{.scale = {}, .axis = axis, .block_size = block_size} {
    const std::size_t count = core::MakeParameterLayout(shape, affine_)->parameter_count();
    std::uniform_real_distribution<float> scale(0.05F, 0.5F);
    for (std::size_t i = 0; i < count; ++i) {
      scale_.push_back(scale(random_));
      zero_point_.push_back(static_cast<std::int32_t>(random_() % 3) - 1);
    }
    affine_.scale = scale_;
    affine_.zero_point = zero_point_;
  }
  RandomScales(const RandomScales&) = delete;
  RandomScales& operator=(const RandomScales&) = delete;

  const core::AffineParameters& affine() const { return affine_; }

 private:
  std::mt19937 random_{11};  // NOLINT(bugprone-random-generator-seed)
  std::vector<float> scale_;
  std::vector<std::int32_t> zero_point_;
  core::AffineParameters affine_;
};

// Quantizes and dequantizes a tensor in parts, and compares both with the reference.
void ExpectTheReferencesCodes(Client& client, const RangedTensor& tensor,
                              const core::AffineParameters& affine, core::ElementType type) {
  const auto result = client.Quantize(tensor.values(), affine, {}, type);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<std::int32_t> codes = ToCodes(result->output);
  EXPECT_EQ(codes, *core::reference::Quantize(tensor.shape(), tensor.values().elements<float>(),
                                              affine, {}, type));
  EXPECT_TRUE(std::ranges::equal(result->parameters.scale, affine.scale));
  EXPECT_TRUE(std::ranges::equal(result->parameters.zero_point, affine.zero_point));
  EXPECT_EQ(result->parameters.axis, affine.axis);
  EXPECT_EQ(result->parameters.block_size, affine.block_size);
  const auto values = client.Dequantize(result->output.view(tensor.shape()), affine, {});
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_TRUE(
      core::SameBits(values->output.values<float>(),
                     *core::reference::Dequantize(tensor.shape(), codes, affine, {}, type)));
}

TEST_F(StreamTest, GivesTheSameCodesAsOneCallForEveryAxisAndType) {
  const std::vector<std::int64_t> shape = {3, 5, 7};
  const RangedTensor tensor(shape);
  for (const core::ElementType type : {core::ElementType::kInt8, core::ElementType::kInt16,
                                       core::ElementType::kInt4, core::ElementType::kInt2}) {
    for (const std::optional<std::int32_t> axis :
         {std::optional<std::int32_t>(), std::optional(0), std::optional(1), std::optional(-1)}) {
      SCOPED_TRACE(std::string(core::RowOf(type).name) + ", axis " +
                   std::to_string(axis.value_or(99)));
      for (const std::size_t message_bytes : {4U, 16U, 64U}) {
        const auto client =
            ConnectInParts(server_.address(), std::chrono::minutes(1), message_bytes);
        ExpectTheReferencesCodes(*client, tensor, RandomScales(shape, axis, {}).affine(), type);
      }
    }
  }
  EXPECT_GT(service_.streamed_requests, 100);
}

TEST_F(StreamTest, GivesTheSameCodesAsOneCallForBlocks) {
  const std::vector<std::int64_t> shape = {3, 5, 7};
  const RangedTensor tensor(shape);
  for (const std::int32_t axis : {0, 1, 2}) {
    for (const std::uint32_t block_size : {1U, 2U, 3U, 100U}) {
      SCOPED_TRACE("axis " + std::to_string(axis) + ", blocks of " + std::to_string(block_size));
      const RandomScales scales(shape, axis, block_size);
      for (const std::size_t message_bytes : {8U, 64U}) {
        const auto client =
            ConnectInParts(server_.address(), std::chrono::minutes(1), message_bytes);
        ExpectTheReferencesCodes(*client, tensor, scales.affine(), core::ElementType::kInt8);
        ExpectTheReferencesCodes(*client, tensor, scales.affine(), core::ElementType::kInt4);
      }
    }
  }
}

TEST_F(StreamTest, ReportsWhatIsWrongWithBlocksWithoutSendingThem) {
  const RangedTensor tensor({10, 10});
  const std::vector<float> scales(20, 0.5F);
  std::vector<float> bad_scales = scales;
  bad_scales[13] = -1;
  struct BadCall {
    std::string reason;
    std::string field;
    core::AffineParameters affine;
  };
  const auto whole = Client::Connect({.address = server_.address()});
  for (const BadCall& bad : std::vector<BadCall>{
           {"INVALID_BLOCK_SIZE",
            "affine.block_size",
            {.scale = scales, .axis = 1, .block_size = 0}},
           {"INVALID_BLOCK_SIZE", "affine.block_size", {.scale = scales, .block_size = 5}},
           {"INVALID_SCALE", "affine.scale[13]", {.scale = bad_scales, .axis = 1, .block_size = 5}},
           {"PARAMETERS_SIZE_MISMATCH",
            "affine.scale",
            {.scale = scales, .axis = 1, .block_size = 4}}}) {
    SCOPED_TRACE(bad.reason);
    const absl::Status status =
        client_->Quantize(tensor.values(), bad.affine, {}, core::ElementType::kInt8).status();
    EXPECT_EQ(ReasonAndField(status), std::pair(bad.reason, bad.field));
    EXPECT_EQ(
        status,
        (*whole)->Quantize(tensor.values(), bad.affine, {}, core::ElementType::kInt8).status());
  }
  EXPECT_EQ(service_.streamed_elements, 0U);
}

TEST_F(StreamTest, NamesTheElementWithoutACodeByItsPlaceInTheWholeTensor) {
  std::vector<float> values(100, 0.5F);
  values[77] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::int64_t> shape = {100};
  const RangedTensor one({1});
  const absl::Status status =
      client_->Quantize({shape, values}, one.range(), {}, core::ElementType::kUint8).status();
  EXPECT_EQ(ReasonAndField(status),
            std::pair(std::string("INVALID_VALUE"), std::string("input.data")));
  EXPECT_EQ(core::GetErrorDetail(status)->metadata.at("index"), "77");
  EXPECT_THAT(std::string(status.message()), StartsWith("element 77 of input is NaN"));
  EXPECT_GT(service_.streamed_requests, 2);
}

TEST_F(StreamTest, SendsATensorWithTheRangeOfItsDataInOneMessage) {
  const RangedTensor tensor({100});
  ASSERT_TRUE(
      client_->Quantize(tensor.values(), core::DataRange{}, {}, core::ElementType::kUint8).ok());
  EXPECT_EQ(service_.streamed_requests, 0);
}

TEST_F(StreamTest, CutsTensorsWhoseAnswersAreLarge) {
  const Elements codes(core::ElementType::kInt2, 200);
  const RangedTensor one({1});
  const auto client = Client::Connect(
      {.address = server_.address(), .stream_from_bytes = 400, .stream_message_bytes = 400});
  const std::vector<std::int64_t> shape = {200};
  ASSERT_TRUE((*client)->Dequantize(codes.view(shape), one.range(), {}).ok());
  // An empty one with the range, and two of 100 codes, whose values have 400 bytes.
  EXPECT_EQ(service_.streamed_requests, 3);
}

}  // namespace
}  // namespace quantd::client
