#include "server/operations/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor_view.h"
#include "tests/server/ask.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<float> Copy(const core::TensorView& tensor) {
  std::vector<float> copy(tensor.element_count());
  tensor.bytes.CopyTo(0, std::span(copy));
  return copy;
}

// Decodes a request with its own settings.
template <typename Operation>
absl::StatusOr<DecodedRequest> DecodeOwn(
    const wire::ReceivedMessage<typename Operation::Request>& request,
    wire::Transfer transfer = wire::Transfer::kUnary) {
  return Decode<Operation>(request, request.message(), transfer);
}

const core::Range& RangeOf(const DecodedRequest& request) {
  return std::get<core::Range>(request.settings.parameters);
}

TEST(Decode, RefersToTheRequest) {
  const auto request = Receive(PerChannelRequest());
  const auto decoded = DecodeOwn<wire::FakeQuantize>(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->inputs[0].shape, ElementsAre(2, 3));
  EXPECT_EQ(decoded->inputs[0].element_count(), 6U);
  EXPECT_EQ(decoded->element_count, 6U);
  EXPECT_EQ(decoded->inputs[0].bytes.front(), request.elements(0).pieces()[0].data());
  EXPECT_EQ(RangeOf(*decoded).min.data(), request.message().range().min().data());
  EXPECT_THAT(RangeOf(*decoded).max, ElementsAre(1, 2, 3));
  EXPECT_EQ(RangeOf(*decoded).axis, 1);
}

TEST(Decode, LeavesDefaultsToCore) {
  const auto request = Receive(PerChannelRequest());
  const auto decoded = DecodeOwn<wire::FakeQuantize>(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const core::QuantizationSpec& spec = decoded->settings.spec;
  EXPECT_EQ(spec.num_bits, std::nullopt);
  EXPECT_FALSE(spec.narrow_range);
  EXPECT_EQ(spec.numerics, std::nullopt);
  EXPECT_EQ(spec.quant_min, std::nullopt);
  EXPECT_EQ(spec.quant_max, std::nullopt);
  EXPECT_EQ(spec.precision, std::nullopt);
  EXPECT_FALSE(spec.signed_input);
  EXPECT_EQ(spec.rounding, std::nullopt);
}

TEST(Decode, KeepsTheSpecUnchanged) {
  v1::FakeQuantizeRequest request = PerChannelRequest();
  request.mutable_spec()->set_num_bits(4);
  request.mutable_spec()->set_narrow_range(true);
  request.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW_ARGS);
  request.mutable_spec()->set_quant_min(-7);
  request.mutable_spec()->set_quant_max(0);
  request.mutable_spec()->set_precision(v1::DATA_TYPE_FLOAT16);
  request.mutable_spec()->set_signed_input(true);
  request.mutable_spec()->set_rounding(v1::ROUNDING_HALF_UP);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn<wire::FakeQuantize>(received);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const core::QuantizationSpec& spec = decoded->settings.spec;
  EXPECT_EQ(spec.num_bits, 4U);
  EXPECT_TRUE(spec.narrow_range);
  EXPECT_EQ(spec.numerics, core::Numerics::kTensorFlowArgs);
  EXPECT_EQ(spec.quant_min, -7);
  EXPECT_EQ(spec.quant_max, 0);
  EXPECT_EQ(spec.precision, core::ElementType::kFloat16);
  EXPECT_TRUE(spec.signed_input);
  EXPECT_EQ(spec.rounding, core::Rounding::kHalfUp);
}

TEST(Decode, DistinguishesAxisZeroFromNoAxis) {
  v1::FakeQuantizeRequest request = PerTensorRequest(1);
  {
    const auto received = Receive(request);
    const auto decoded = DecodeOwn<wire::FakeQuantize>(received);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(RangeOf(*decoded).axis, std::nullopt);
  }
  request.mutable_range()->set_axis(0);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn<wire::FakeQuantize>(received);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(RangeOf(*decoded).axis, 0);
}

TEST(Decode, AcceptsNumbersInsteadOfBytes) {
  v1::FakeQuantizeRequest request = PerTensorRequest(2);
  request.mutable_input()->mutable_float_values()->add_values(0.5F);
  request.mutable_input()->mutable_float_values()->add_values(-7);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn<wire::FakeQuantize>(received);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(Copy(decoded->inputs[0]), ElementsAre(0.5F, -7));
}

TEST(Decode, TakesSettingsFromAnotherRequest) {
  const auto request = Receive(PerTensorRequest(3));
  v1::FakeQuantizeRequest settings;
  settings.mutable_range()->add_min(-7);
  settings.mutable_range()->add_max(7);
  settings.mutable_spec()->set_num_bits(4);
  const auto decoded = Decode<wire::FakeQuantize>(request, settings, wire::Transfer::kStream);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(RangeOf(*decoded).min, ElementsAre(-7));
  EXPECT_EQ(decoded->settings.spec.num_bits, 4U);
}

TEST(Decode, KeepsScalesUnchanged) {
  v1::FakeQuantizeRequest request = PerChannelRequest();
  UseScales(request);
  request.mutable_affine()->set_block_size(7);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn<wire::FakeQuantize>(received);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const auto& affine = std::get<core::AffineParameters>(decoded->settings.parameters);
  EXPECT_EQ(affine.scale.data(), received.message().affine().scale().data());
  EXPECT_THAT(affine.scale, ElementsAre(0.25F, 0.5F, 0.75F));
  EXPECT_THAT(affine.zero_point, ElementsAre(0, 100, 200));
  EXPECT_EQ(affine.axis, 1);
  EXPECT_EQ(affine.block_size, 7U);
}

TEST(Decode, KeepsADataRangeUnchanged) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  request.clear_range();
  request.mutable_data_range()->set_symmetric(true);
  request.mutable_data_range()->set_axis(-1);
  request.mutable_data_range()->set_block_size(2);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn<wire::Quantize>(received);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_TRUE(decoded->settings.data_range.has_value());
  EXPECT_TRUE(decoded->settings.data_range->symmetric);
  EXPECT_EQ(decoded->settings.data_range->axis, -1);
  EXPECT_EQ(decoded->settings.data_range->block_size, 2U);
}

TEST(Decode, TakesTheTypeOfTheOutputFromTheInputTheRequestOrTheDefault) {
  const auto forward = Receive(PerChannelRequest());
  EXPECT_EQ(DecodeOwn<wire::FakeQuantize>(forward)->types.output, core::ElementType::kFloat32);
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  const auto without = Receive(request);
  EXPECT_EQ(DecodeOwn<wire::Quantize>(without)->types.output, core::ElementType::kUint8);
  request.set_output_type(v1::DATA_TYPE_INT4);
  const auto with = Receive(request);
  EXPECT_EQ(DecodeOwn<wire::Quantize>(with)->types.input, core::ElementType::kFloat32);
  EXPECT_EQ(DecodeOwn<wire::Quantize>(with)->types.output, core::ElementType::kInt4);
  const auto codes = Receive(PerChannelDequantizeRequest());
  EXPECT_EQ(DecodeOwn<wire::Dequantize>(codes)->types.input, core::ElementType::kUint8);
  EXPECT_EQ(DecodeOwn<wire::Dequantize>(codes)->types.output, core::ElementType::kFloat32);
}

TEST(Decode, CountsPackedCodesByTheirShape) {
  struct Example {
    v1::DataType type;
    std::int64_t count;
    std::size_t bytes;
  };
  for (const Example& example :
       {Example{v1::DATA_TYPE_INT4, 0, 0}, Example{v1::DATA_TYPE_INT4, 1, 1},
        Example{v1::DATA_TYPE_UINT4, 5, 3}, Example{v1::DATA_TYPE_UINT4, 6, 3},
        Example{v1::DATA_TYPE_INT2, 4, 1}, Example{v1::DATA_TYPE_UINT2, 5, 2}}) {
    v1::DequantizeRequest request = PerChannelDequantizeRequest();
    request.mutable_input()->set_data_type(example.type);
    request.mutable_input()->clear_shape();
    request.mutable_input()->add_shape(example.count);
    for (const std::size_t bytes :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4}}) {
      request.mutable_input()->set_data(std::string(bytes, 'x'));
      const auto received = Receive(request);
      const auto decoded = DecodeOwn<wire::Dequantize>(received);
      EXPECT_EQ(decoded.ok(), bytes == example.bytes) << decoded.status();
      if (decoded.ok()) {
        EXPECT_EQ(decoded->element_count, static_cast<std::size_t>(example.count));
      }
    }
  }
}

TEST(Decode, RefusesADataRangeInAStream) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  request.clear_range();
  request.mutable_data_range();
  const auto received = Receive(request);
  EXPECT_TRUE(DecodeOwn<wire::Quantize>(received).ok());
  const auto refused = DecodeOwn<wire::Quantize>(received, wire::Transfer::kStream);
  const auto detail = core::GetErrorDetail(refused.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "PARAMETERS_MISMATCH");
  EXPECT_EQ(detail->field, "data_range");
}

TEST(DerivedParameterCount, FollowsFromTheShape) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  const auto count = [&] {
    const auto received = Receive(request);
    return DerivedParameterCount(*DecodeOwn<wire::Quantize>(received));
  };
  EXPECT_EQ(count(), 0U) << "the request brings its parameters";
  request.clear_range();
  request.mutable_data_range();
  EXPECT_EQ(count(), 1U);
  request.mutable_data_range()->set_axis(1);
  EXPECT_EQ(count(), 3U);
  request.mutable_data_range()->set_block_size(2);
  EXPECT_EQ(count(), 4U);
  request.mutable_data_range()->set_axis(7);
  EXPECT_EQ(count(), 0U) << "the axis is refused later";
}

TEST(EncodeParameters, KeepsEveryChannel) {
  v1::AffineParameters message;
  EncodeParameters({.scale = {0.5F, 1}, .zero_point = {-2, 3}, .axis = 0, .block_size = 4},
                   message);
  EXPECT_THAT(message.scale(), ElementsAre(0.5F, 1));
  EXPECT_THAT(message.zero_point(), ElementsAre(-2, 3));
  EXPECT_EQ(message.axis(), 0);
  EXPECT_TRUE(message.has_axis());
  EXPECT_EQ(message.block_size(), 4U);
}

TEST(EncodeParameters, LeavesOutWhatParametersOfATensorDoNotHave) {
  v1::AffineParameters message;
  EncodeParameters({.scale = {0.5F}, .zero_point = {}, .axis = {}, .block_size = {}}, message);
  EXPECT_THAT(message.zero_point(), IsEmpty());
  EXPECT_FALSE(message.has_axis());
  EXPECT_FALSE(message.has_block_size());
}

TEST(EncodeNudgedRange, KeepsEveryChannel) {
  v1::NudgedRange message;
  EncodeNudgedRange({.min = {-1, -2}, .max = {1, 2}, .scale = {0.5F, 1}, .zero_point = {2, 3}},
                    message);
  EXPECT_THAT(message.min(), ElementsAre(-1, -2));
  EXPECT_THAT(message.max(), ElementsAre(1, 2));
  EXPECT_THAT(message.scale(), ElementsAre(0.5F, 1));
  EXPECT_THAT(message.zero_point(), ElementsAre(2, 3));
}

}  // namespace
}  // namespace quantd::server
