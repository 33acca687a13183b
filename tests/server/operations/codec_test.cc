#include "server/operations/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/tensor_view.h"
#include "tests/server/ask.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;

std::vector<float> Copy(const core::TensorView& tensor) {
  std::vector<float> copy(tensor.element_count());
  tensor.bytes.CopyTo(0, std::span(copy));
  return copy;
}

// Decodes a request with its own range and spec.
template <typename Request>
absl::StatusOr<DecodedRequest> DecodeOwn(const wire::ReceivedMessage<Request>& request) {
  const Request& message = request.message();
  return Decode(request, message.has_range() ? &message.range() : nullptr, message.spec());
}

TEST(Decode, RefersToTheRequest) {
  const auto request = Receive(PerChannelRequest());
  const auto decoded = DecodeOwn(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->inputs[0].shape, ElementsAre(2, 3));
  EXPECT_EQ(decoded->inputs[0].element_count(), 6U);
  EXPECT_EQ(decoded->inputs[0].bytes.front(), request.elements(0).pieces()[0].data());
  EXPECT_EQ(decoded->range.min.data(), request.message().range().min().data());
  EXPECT_THAT(decoded->range.max, ElementsAre(1, 2, 3));
  EXPECT_EQ(decoded->range.axis, 1);
}

TEST(Decode, HasTensorFlowsDefaultsWithoutASpec) {
  const auto request = Receive(PerChannelRequest());
  const auto decoded = DecodeOwn(request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->spec.num_bits, 8U);
  EXPECT_FALSE(decoded->spec.narrow_range);
  EXPECT_EQ(decoded->spec.numerics, core::Numerics::kTensorFlow);
}

TEST(Decode, KeepsTheSpecUnchanged) {
  v1::FakeQuantizeRequest request = PerChannelRequest();
  request.mutable_spec()->set_num_bits(4);
  request.mutable_spec()->set_narrow_range(true);
  request.mutable_spec()->set_numerics(v1::NUMERICS_TENSORFLOW_ARGS);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn(received);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->spec.num_bits, 4U);
  EXPECT_TRUE(decoded->spec.narrow_range);
  EXPECT_EQ(decoded->spec.numerics, core::Numerics::kTensorFlowArgs);
}

TEST(Decode, DistinguishesAxisZeroFromNoAxis) {
  v1::FakeQuantizeRequest request = PerTensorRequest(1);
  {
    const auto received = Receive(request);
    const auto decoded = DecodeOwn(received);
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->range.axis, std::nullopt);
  }
  request.mutable_range()->set_axis(0);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn(received);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->range.axis, 0);
}

TEST(Decode, AcceptsNumbersInsteadOfBytes) {
  v1::FakeQuantizeRequest request = PerTensorRequest(2);
  request.mutable_input()->mutable_float_values()->add_values(0.5F);
  request.mutable_input()->mutable_float_values()->add_values(-7);
  const auto received = Receive(request);
  const auto decoded = DecodeOwn(received);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(Copy(decoded->inputs[0]), ElementsAre(0.5F, -7));
}

TEST(Decode, TakesRangeAndSpecFromTheCaller) {
  const auto request = Receive(PerTensorRequest(3));
  v1::Range range;
  range.add_min(-7);
  range.add_max(7);
  v1::QuantizationSpec spec;
  spec.set_num_bits(4);
  const auto decoded = Decode(request, &range, spec);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->range.min, ElementsAre(-7));
  EXPECT_EQ(decoded->spec.num_bits, 4U);
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
