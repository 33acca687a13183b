#include "server/operations/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor_shape.h"
#include "tests/server/ask.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;

std::vector<float> Copy(const core::ScatteredElements& elements) {
  std::vector<float> copy(elements.size());
  elements.CopyTo(0, copy);
  return copy;
}

TEST(Decode, RefersToTheRequest) {
  const auto request = Receive(PerChannelRequest());
  const auto arguments = Decode(request, {});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->input.shape, ElementsAre(2, 3));
  EXPECT_EQ(arguments->input.elements.size(), 6U);
  EXPECT_EQ(arguments->input.elements.front().bytes(), request.elements(0).pieces()[0].data());
  EXPECT_EQ(arguments->range.min.data(), request.message().range().min().data());
  EXPECT_THAT(arguments->range.max, ElementsAre(1, 2, 3));
  EXPECT_EQ(arguments->range.axis, 1);
}

TEST(Decode, HasTensorFlowsDefaultsWithoutASpec) {
  const auto request = Receive(PerChannelRequest());
  const auto arguments = Decode(request, {});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->spec.num_bits, 8U);
  EXPECT_FALSE(arguments->spec.narrow_range);
  EXPECT_EQ(arguments->spec.numerics, core::Numerics::kTensorFlow);
}

TEST(Decode, KeepsTheSpecUnchanged) {
  v1::FakeQuantizeRequest request = PerChannelRequest();
  request.mutable_spec()->set_num_bits(4);
  request.mutable_spec()->set_narrow_range(true);
  request.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW_ARGS);
  const auto received = Receive(request);
  const auto arguments = Decode(received, {});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->spec.num_bits, 4U);
  EXPECT_TRUE(arguments->spec.narrow_range);
  EXPECT_EQ(arguments->spec.numerics, core::Numerics::kTensorFlowArgs);
}

TEST(Decode, DistinguishesAxisZeroFromNoAxis) {
  v1::FakeQuantizeRequest request = PerTensorRequest(1);
  {
    const auto received = Receive(request);
    const auto arguments = Decode(received, {});
    ASSERT_TRUE(arguments.ok());
    EXPECT_EQ(arguments->range.axis, std::nullopt);
  }
  request.mutable_range()->set_axis(0);
  const auto received = Receive(request);
  const auto arguments = Decode(received, {});
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->range.axis, 0);
}

TEST(Decode, AcceptsNumbersInsteadOfBytes) {
  v1::FakeQuantizeRequest request = PerTensorRequest(2);
  request.mutable_input()->mutable_float_values()->add_values(0.5F);
  request.mutable_input()->mutable_float_values()->add_values(-7);
  const auto received = Receive(request);
  const auto arguments = Decode(received, {});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(Copy(arguments->input.elements), ElementsAre(0.5F, -7));
}

TEST(Decode, FillsMissingFieldsFromTheDefaults) {
  RequestDefaults defaults;
  v1::FakeQuantizeRequest first = PerTensorRequest(2);
  first.mutable_spec()->set_num_bits(4);
  Remember(first, defaults);
  v1::FakeQuantizeRequest second = PerTensorRequest(3);
  second.clear_range();
  const auto received = Receive(second);
  const auto arguments = Decode(received, defaults);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->input.elements.size(), 3U);
  EXPECT_THAT(arguments->range.min, ElementsAre(-1));
  EXPECT_EQ(arguments->spec.num_bits, 4U);
}

TEST(Decode, PrefersTheFieldsOfTheRequestToTheDefaults) {
  RequestDefaults defaults;
  v1::FakeQuantizeRequest first = PerTensorRequest(2);
  first.mutable_spec()->set_num_bits(4);
  Remember(first, defaults);
  v1::FakeQuantizeRequest second = PerChannelRequest();
  second.mutable_spec()->set_narrow_range(true);
  const auto received = Receive(second);
  const auto arguments = Decode(received, defaults);
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_THAT(arguments->range.max, ElementsAre(1, 2, 3));
  EXPECT_EQ(arguments->spec.num_bits, 8U) << "a spec replaces the one before as a whole";
  EXPECT_TRUE(arguments->spec.narrow_range);
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
