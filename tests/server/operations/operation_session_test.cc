// Tests what operations compute, and what they refuse.

#include "server/operations/operation_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/float16.h"
#include "core/reference.h"
#include "server/operations/codec.h"
#include "tests/server/ask.h"
#include "tests/server/bad_requests.h"
#include "tests/server/operations/operation_sessions.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(OperationSessions, FakeQuantizeLikeTheReference) {
  for (const v1::FakeQuantizeRequest& request : {PerChannelRequest(), PerTensorRequest(100'003)}) {
    const auto response = Ask(request, context_);
    ASSERT_TRUE(response.ok()) << response.status();
    const auto received = Receive(request);
    const auto decoded = Decode<wire::FakeQuantize>(received, request, wire::Transfer::kUnary);
    const auto expected =
        core::reference::FakeQuantize(decoded->inputs[0].shape, FloatsOf(request.input()),
                                      decoded->settings.parameters, decoded->settings.spec);
    EXPECT_EQ(response->output().data(), BytesOf(*expected));
    EXPECT_EQ(response->output().data_type(), v1::DATA_TYPE_FLOAT32);
    EXPECT_THAT(response->output().shape(), testing::ElementsAreArray(request.input().shape()));
    EXPECT_EQ(response->nudged_range().min_size(), request.range().min_size());
    EXPECT_EQ(response->numerics(), v1::NUMERICS_TENSORFLOW);
  }
}

TEST_F(OperationSessions, DifferentiateLikeTheReference) {
  const v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  const auto received = Receive(request);
  const auto decoded =
      Decode<wire::FakeQuantizeGradient>(received, request, wire::Transfer::kUnary);
  const auto expected = core::reference::FakeQuantizeGradient(
      decoded->inputs[1].shape, FloatsOf(request.gradients()), FloatsOf(request.inputs()),
      decoded->settings.parameters, decoded->settings.spec);
  EXPECT_EQ(response->input_gradients().data(), BytesOf(expected->input));
  ASSERT_EQ(response->min_gradient_size(), 3);
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_FLOAT_EQ(response->min_gradient(channel),
                    static_cast<float>(expected->min[static_cast<std::size_t>(channel)]));
    EXPECT_FLOAT_EQ(response->max_gradient(channel),
                    static_cast<float>(expected->max[static_cast<std::size_t>(channel)]));
  }
  EXPECT_EQ(response->nudged_range().scale_size(), 3);
}

// The codes in the bytes of a tensor of type uint8.
std::vector<std::int32_t> CodesOf(const v1::Tensor& tensor) {
  std::vector<std::int32_t> codes;
  for (const char byte : tensor.data()) {
    codes.push_back(static_cast<std::uint8_t>(byte));
  }
  return codes;
}

TEST_F(OperationSessions, QuantizeLikeTheReference) {
  v1::QuantizeRequest by_scales = PerChannelQuantizeRequest();
  UseScales(by_scales);
  for (const v1::QuantizeRequest& request : {PerChannelQuantizeRequest(), by_scales}) {
    const auto response = Ask(request, context_);
    ASSERT_TRUE(response.ok()) << response.status();
    const auto received = Receive(request);
    const auto decoded = Decode<wire::Quantize>(received, request, wire::Transfer::kUnary);
    const auto expected = core::reference::Quantize(
        decoded->inputs[0].shape, FloatsOf(request.input()), decoded->settings.parameters,
        decoded->settings.spec, core::ElementType::kUint8);
    EXPECT_EQ(CodesOf(response->output()), *expected);
    EXPECT_EQ(response->output().data_type(), v1::DATA_TYPE_UINT8);
    EXPECT_THAT(response->output().shape(), ElementsAre(2, 3));
  }
}

TEST_F(OperationSessions, DequantizeLikeTheReference) {
  v1::DequantizeRequest by_scales = PerChannelDequantizeRequest();
  UseScales(by_scales);
  for (const v1::DequantizeRequest& request : {PerChannelDequantizeRequest(), by_scales}) {
    const auto response = Ask(request, context_);
    ASSERT_TRUE(response.ok()) << response.status();
    const auto received = Receive(request);
    const auto decoded = Decode<wire::Dequantize>(received, request, wire::Transfer::kUnary);
    const auto expected = core::reference::Dequantize(
        decoded->inputs[0].shape, CodesOf(request.input()), decoded->settings.parameters,
        decoded->settings.spec, core::ElementType::kUint8);
    EXPECT_EQ(response->output().data(), BytesOf(*expected));
    EXPECT_EQ(response->output().data_type(), v1::DATA_TYPE_FLOAT32);
    EXPECT_THAT(response->output().shape(), ElementsAre(2, 3));
  }
}

TEST_F(OperationSessions, SayWhatTheyQuantizedWith) {
  const auto by_range = Ask(PerChannelQuantizeRequest(), context_);
  ASSERT_TRUE(by_range.ok()) << by_range.status();
  EXPECT_EQ(by_range->numerics(), v1::NUMERICS_TENSORFLOW);
  EXPECT_EQ(by_range->nudged_range().scale_size(), 3);
  EXPECT_THAT(by_range->parameters().scale(),
              testing::ElementsAreArray(by_range->nudged_range().scale()));
  EXPECT_THAT(by_range->parameters().zero_point(),
              testing::ElementsAreArray(by_range->nudged_range().zero_point()));
  EXPECT_EQ(by_range->parameters().axis(), 1);

  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  UseScales(request);
  request.clear_spec();
  const auto by_scales = Ask(request, context_);
  ASSERT_TRUE(by_scales.ok()) << by_scales.status();
  EXPECT_EQ(by_scales->numerics(), v1::NUMERICS_ONNX) << "the default with scales";
  EXPECT_FALSE(by_scales->has_nudged_range());
  EXPECT_EQ(by_scales->parameters().SerializeAsString(), request.affine().SerializeAsString());
}

TEST_F(OperationSessions, HaveZeroPointsInTheCodesOfTheOutput) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  request.set_output_type(v1::DATA_TYPE_INT8);
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_EQ(response->parameters().zero_point(channel),
              response->nudged_range().zero_point(channel) - 128);
  }
}

TEST_F(OperationSessions, FakeQuantizeWithScales) {
  v1::FakeQuantizeRequest request = PerChannelRequest();
  UseScales(request);
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->numerics(), v1::NUMERICS_PYTORCH);
  EXPECT_FALSE(response->has_nudged_range());
}

TEST_F(OperationSessions, HaveNoGradientsOfARangeWithScales) {
  v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  UseScales(request);
  for (const wire::Transfer transfer : {wire::Transfer::kUnary, wire::Transfer::kStream}) {
    const auto response = Ask(request, context_, transfer);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->numerics(), v1::NUMERICS_PYTORCH);
    EXPECT_EQ(response->input_gradients().data().size(), request.inputs().data().size());
    EXPECT_FALSE(response->has_nudged_range());
    EXPECT_THAT(response->min_gradient(), IsEmpty());
    EXPECT_THAT(response->max_gradient(), IsEmpty());
    EXPECT_THAT(response->min_gradient_sum(), IsEmpty());
    EXPECT_THAT(response->max_gradient_sum(), IsEmpty());
  }
}

TEST_F(OperationSessions, PackCodesAcrossTheTensor) {
  struct Example {
    v1::DataType type;
    std::vector<float> values;
    std::string bytes;
  };
  for (const Example& example : {Example{v1::DATA_TYPE_INT4, {0, 1, 2, 3, 4}, "\x10\x32\x04"},
                                 Example{v1::DATA_TYPE_UINT4, {15, 1, 2, 3, 4}, "\x1f\x32\x04"},
                                 Example{v1::DATA_TYPE_INT2, {0, 1, 1, 1, 1}, "\x54\x01"},
                                 Example{v1::DATA_TYPE_UINT2, {3, 0, 0, 1, 2}, "\x43\x02"}}) {
    v1::QuantizeRequest request;
    *request.mutable_input() = MakeTensor({5}, example.values);
    request.mutable_affine()->add_scale(1);
    request.set_output_type(example.type);
    const auto codes = Ask(request, context_);
    ASSERT_TRUE(codes.ok()) << codes.status();
    EXPECT_EQ(codes->output().data(), example.bytes);
    EXPECT_EQ(codes->output().data_type(), example.type);
    EXPECT_THAT(codes->output().shape(), ElementsAre(5));

    v1::DequantizeRequest back;
    *back.mutable_input() = codes->output();
    *back.mutable_affine() = codes->parameters();
    // The last byte has places for more codes, which mean nothing.
    back.mutable_input()->mutable_data()->back() |= '\xc0';
    const auto values = Ask(back, context_);
    ASSERT_TRUE(values.ok()) << values.status();
    EXPECT_EQ(FloatsOf(values->output()), example.values);
  }
}

TEST_F(OperationSessions, ConvertToTheTypeThatARequestNames) {
  v1::DequantizeRequest request = PerChannelDequantizeRequest();
  const auto floats = Ask(request, context_);
  ASSERT_TRUE(floats.ok()) << floats.status();
  request.set_output_type(v1::DATA_TYPE_BFLOAT16);
  const auto halves = Ask(request, context_);
  ASSERT_TRUE(halves.ok()) << halves.status();
  EXPECT_EQ(halves->output().data_type(), v1::DATA_TYPE_BFLOAT16);
  std::string expected;
  for (const float value : FloatsOf(floats->output())) {
    const std::uint16_t bits = core::FromFloat<core::BFloat16>(value).bits;
    expected += {static_cast<char>(bits), static_cast<char>(bits >> 8)};
  }
  EXPECT_EQ(halves->output().data(), expected);
}

TEST_F(OperationSessions, DeriveARangeFromTheData) {
  v1::QuantizeRequest request;
  *request.mutable_input() = MakeTensor({2, 2}, std::vector<float>{1, -2, 0.5F, 4});
  v1::QuantizeRequest from_data = request;
  from_data.mutable_data_range()->set_axis(1);
  request.mutable_range()->set_axis(1);
  for (const auto& [min, max] : {std::pair(0.0F, 1.0F), std::pair(-2.0F, 4.0F)}) {
    request.mutable_range()->add_min(min);
    request.mutable_range()->add_max(max);
  }
  const auto expected = Ask(request, context_);
  const auto response = Ask(from_data, context_);
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->SerializeAsString(), expected->SerializeAsString());
}

TEST_F(OperationSessions, QuantizeDynamicallyWithOnnx) {
  v1::QuantizeRequest request;
  *request.mutable_input() = MakeTensor({3}, std::vector<float>{0, 2.55F, 1});
  request.mutable_data_range();
  request.mutable_spec()->set_numerics(v1::NUMERICS_ONNX);
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->numerics(), v1::NUMERICS_ONNX);
  EXPECT_THAT(response->parameters().scale(), ElementsAre(2.55F / 255));
  EXPECT_THAT(response->parameters().zero_point(), ElementsAre(0));
  EXPECT_THAT(CodesOf(response->output()), ElementsAre(0, 255, 100));
}

TEST_F(OperationSessions, SendTheSumsBeforeRoundingOnlyInStreams) {
  const v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  const auto without = Ask(request, context_, wire::Transfer::kUnary);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_THAT(without->min_gradient_sum(), IsEmpty());
  EXPECT_THAT(without->max_gradient_sum(), IsEmpty());
  const auto with = Ask(request, context_, wire::Transfer::kStream);
  ASSERT_TRUE(with.ok()) << with.status();
  ASSERT_EQ(with->min_gradient_sum_size(), 3);
  ASSERT_EQ(with->max_gradient_sum_size(), 3);
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_EQ(static_cast<float>(with->min_gradient_sum(channel)), with->min_gradient(channel));
    EXPECT_EQ(static_cast<float>(with->max_gradient_sum(channel)), with->max_gradient(channel));
  }
}

TEST_F(OperationSessions, AcceptAScalar) {
  v1::FakeQuantizeRequest request = PerTensorRequest(1);
  request.mutable_input()->clear_shape();
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->output().shape(), IsEmpty());
  EXPECT_EQ(response->output().data().size(), sizeof(float));
}

TEST_F(OperationSessions, AcceptAnEmptyTensor) {
  v1::FakeQuantizeRequest request = PerTensorRequest(0);
  request.mutable_input()->add_shape(1000);
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->output().has_data());
  EXPECT_THAT(response->output().data(), IsEmpty());
  EXPECT_THAT(response->output().shape(), ElementsAre(0, 1000));
  EXPECT_EQ(response->nudged_range().min_size(), 1);
}

TEST_F(OperationSessions, ReturnZeroGradientsForAnEmptyTensor) {
  v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  *request.mutable_gradients() = MakeTensor({0, 3}, {});
  *request.mutable_inputs() = MakeTensor({0, 3}, {});
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->min_gradient(), ElementsAre(0, 0, 0));
  EXPECT_THAT(response->max_gradient(), ElementsAre(0, 0, 0));
}

template <typename Request, typename Handler>
void ExpectRefusal(const BadRequest<Request>& bad, Request request, Handler handler) {
  SCOPED_TRACE(bad.name);
  bad.spoil(request);
  const absl::Status status = handler(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto detail = core::GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value()) << status;
  EXPECT_EQ(detail->reason, bad.reason);
  EXPECT_EQ(detail->field, bad.field);
  // What was expected, or how to fix it, follows what was wrong.
  EXPECT_THAT(std::string(status.message()), HasSubstr("; "));
}

TEST_F(OperationSessions, RejectEveryBadRequestWithReasonAndField) {
  for (const auto& bad : BadFakeQuantizeRequests()) {
    ExpectRefusal(bad, PerChannelRequest(), [this](const v1::FakeQuantizeRequest& request) {
      return Ask(request, context_).status();
    });
  }
}

TEST_F(OperationSessions, RejectEveryBadGradientRequestWithReasonAndField) {
  for (const auto& bad : BadFakeQuantizeGradientRequests()) {
    ExpectRefusal(bad, PerChannelGradientRequest(),
                  [this](const v1::FakeQuantizeGradientRequest& request) {
                    return Ask(request, context_).status();
                  });
  }
}

TEST_F(OperationSessions, RejectEveryBadQuantizeRequestWithReasonAndField) {
  for (const auto& bad : BadQuantizeRequests()) {
    ExpectRefusal(bad, PerChannelQuantizeRequest(), [this](const v1::QuantizeRequest& request) {
      return Ask(request, context_).status();
    });
  }
}

TEST_F(OperationSessions, RejectEveryBadDequantizeRequestWithReasonAndField) {
  for (const auto& bad : BadDequantizeRequests()) {
    ExpectRefusal(bad, PerChannelDequantizeRequest(), [this](const v1::DequantizeRequest& request) {
      return Ask(request, context_).status();
    });
  }
}

}  // namespace
}  // namespace quantd::server
