#include "server/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/server/requests.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;

TEST(FloatElements, RefersToAlignedBytes) {
  const std::vector<float> values = {1.5F, -2.0F};
  const void* const address = values.data();
  const FloatElements elements(
      std::string_view(static_cast<const char*>(address), values.size() * sizeof(float)));
  EXPECT_EQ(elements.get().data(), values.data());
  EXPECT_THAT(elements.get(), ElementsAre(1.5F, -2.0F));
}

TEST(FloatElements, CopiesBytesAtAnyAddress) {
  const std::vector<float> values = {1.5F, -2.0F, 3.25F};
  for (std::size_t offset = 0; offset < sizeof(float); ++offset) {
    const std::string bytes = std::string(offset, '\x7f') + BytesOf(values);
    const FloatElements elements(std::string_view(bytes).substr(offset));
    const void* const address = elements.get().data();
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(address) % alignof(float), 0U) << offset;
    EXPECT_THAT(elements.get(), ElementsAre(1.5F, -2.0F, 3.25F)) << offset;
  }
}

TEST(FloatElements, KeepsACopyWhenMoved) {
  const std::string bytes = "x" + BytesOf(std::vector<float>{1.5F, -2.0F});
  FloatElements elements(std::string_view(bytes).substr(1));
  const FloatElements moved = std::move(elements);
  EXPECT_THAT(moved.get(), ElementsAre(1.5F, -2.0F));
}

TEST(Decode, RefersToTheRequest) {
  const v1::FakeQuantizeRequest request = PerChannelRequest();
  const auto arguments = Decode(request);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->input.shape, ElementsAre(2, 3));
  EXPECT_EQ(arguments->input.elements.get().size(), 6U);
  EXPECT_EQ(arguments->range.min.data(), request.range().min().data());
  EXPECT_THAT(arguments->range.max, ElementsAre(1, 2, 3));
  EXPECT_EQ(arguments->range.axis, 1);
}

TEST(Decode, HasTensorFlowsDefaultsWithoutASpec) {
  const v1::FakeQuantizeRequest request = PerChannelRequest();
  const auto arguments = Decode(request);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->spec.num_bits, 8U);
  EXPECT_FALSE(arguments->spec.narrow_range);
  EXPECT_EQ(arguments->spec.numerics, core::Numerics::kTensorFlow);
}

TEST(Decode, TakesTheSpecAsItIs) {
  v1::FakeQuantizeRequest request = PerChannelRequest();
  request.mutable_spec()->set_num_bits(4);
  request.mutable_spec()->set_narrow_range(true);
  request.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW_ARGS);
  const auto arguments = Decode(request);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->spec.num_bits, 4U);
  EXPECT_TRUE(arguments->spec.narrow_range);
  EXPECT_EQ(arguments->spec.numerics, core::Numerics::kTensorFlowArgs);
}

TEST(Decode, TellsAnAxisOfZeroFromNone) {
  v1::FakeQuantizeRequest request = PerTensorRequest(1);
  {
    const auto arguments = Decode(request);
    ASSERT_TRUE(arguments.ok());
    EXPECT_EQ(arguments->range.axis, std::nullopt);
  }
  request.mutable_range()->set_axis(0);
  const auto arguments = Decode(request);
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->range.axis, 0);
}

TEST(Decode, TakesNumbersInsteadOfBytes) {
  v1::FakeQuantizeRequest request = PerTensorRequest(2);
  request.mutable_input()->mutable_float_values()->add_values(0.5F);
  request.mutable_input()->mutable_float_values()->add_values(-7);
  const auto arguments = Decode(request);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->input.elements.get(), ElementsAre(0.5F, -7));
}

TEST(EncodeTensor, MakesRoomForTheElements) {
  v1::Tensor tensor;
  const std::vector<std::int64_t> shape = {2, 1};
  const std::span<float> elements = EncodeTensor(shape, 2, tensor);
  ASSERT_EQ(elements.size(), 2U);
  elements[0] = 1.5F;
  elements[1] = -2;
  EXPECT_EQ(tensor.data_type(), v1::DATA_TYPE_FLOAT32);
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 1));
  EXPECT_THAT(ElementsOf(tensor), ElementsAre(1.5F, -2));
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
