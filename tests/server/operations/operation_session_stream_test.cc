// Tests sessions that get several requests, and what sessions weigh and count.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "core/base/error.h"
#include "server/operations/operation_session.h"
#include "tests/server/ask.h"
#include "tests/server/operations/operation_sessions.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::HasSubstr;

TEST_F(OperationSessions, CountOnlyComputedTensors) {
  v1::FakeQuantizeRequest bad = PerTensorRequest(10);
  bad.clear_range();
  EXPECT_FALSE(Ask(bad, context_).ok());
  EXPECT_THAT(metrics_.Text(), HasSubstr("quantd_elements_total{operation=\"fake_quantize\"} 0\n"));
  EXPECT_TRUE(Ask(PerTensorRequest(10), context_).ok());
  EXPECT_TRUE(Ask(PerChannelGradientRequest(), context_).ok());
  const std::string text = metrics_.Text();
  for (const char* line :
       {"quantd_elements_total{operation=\"fake_quantize\"} 10\n",
        "quantd_elements_total{operation=\"fake_quantize_gradient\"} 6\n",
        "quantd_kernel_seconds_count{operation=\"fake_quantize\"} 1\n",
        "quantd_tensor_bytes_total{direction=\"in\",transport=\"grpc\"} 88\n",
        "quantd_tensor_bytes_total{direction=\"out\",transport=\"grpc\"} 64\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(OperationSessions, CountTheBytesOfBothTypesAndTheElementsOnce) {
  v1::DequantizeRequest request = PerChannelDequantizeRequest();
  request.mutable_input()->set_data_type(v1::DATA_TYPE_UINT4);
  request.mutable_input()->set_shape(0, 1);
  request.mutable_input()->set_data("ab");
  ASSERT_TRUE(Ask(request, context_).ok());
  const std::string text = metrics_.Text();
  for (const char* line :
       {"quantd_elements_total{operation=\"dequantize\"} 3\n",
        "quantd_kernel_seconds_count{operation=\"dequantize\"} 1\n",
        "quantd_tensor_bytes_total{direction=\"in\",transport=\"grpc\"} 2\n",
        "quantd_tensor_bytes_total{direction=\"out\",transport=\"grpc\"} 12\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(OperationSessions, InheritWhatARequestLeavesOut) {
  const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kStream);
  v1::FakeQuantizeRequest first = PerChannelRequest();
  first.mutable_spec()->set_num_bits(4);
  const auto answered = AskSession(*session, first);
  ASSERT_TRUE(answered.ok()) << answered.status();

  v1::FakeQuantizeRequest second = first;
  second.clear_range();
  second.clear_spec();
  const auto inherited = AskSession(*session, second);
  ASSERT_TRUE(inherited.ok()) << inherited.status();
  EXPECT_EQ(inherited->SerializeAsString(), answered->SerializeAsString());

  second.mutable_spec()->set_narrow_range(true);
  v1::FakeQuantizeRequest whole = second;
  *whole.mutable_range() = first.range();
  const auto with_new_spec = AskSession(*session, second);
  ASSERT_TRUE(with_new_spec.ok()) << with_new_spec.status();
  EXPECT_EQ(with_new_spec->SerializeAsString(), Ask(whole, context_)->SerializeAsString())
      << "a spec replaces the one before as a whole, and goes with the range before";

  second = PerTensorRequest(5);
  whole = second;
  *whole.mutable_spec() = with_new_spec.ok() ? v1::QuantizationSpec() : whole.spec();
  whole.mutable_spec()->set_narrow_range(true);
  const auto with_new_range = AskSession(*session, second);
  ASSERT_TRUE(with_new_range.ok()) << with_new_range.status();
  EXPECT_EQ(with_new_range->SerializeAsString(), Ask(whole, context_)->SerializeAsString());
}

TEST_F(OperationSessions, ReplaceAnInheritedRangeByScalesAndScalesByARange) {
  const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kStream);
  v1::FakeQuantizeRequest by_scales = PerChannelRequest();
  UseScales(by_scales);
  by_scales.clear_spec();
  v1::FakeQuantizeRequest without = PerChannelRequest();
  without.clear_range();
  for (const v1::FakeQuantizeRequest& request :
       {PerChannelRequest(), by_scales, PerChannelRequest()}) {
    const auto expected = Ask(request, context_);
    ASSERT_TRUE(expected.ok()) << expected.status();
    for (const v1::FakeQuantizeRequest& message : {request, without}) {
      const auto answered = AskSession(*session, message);
      ASSERT_TRUE(answered.ok()) << answered.status();
      EXPECT_EQ(answered->SerializeAsString(), expected->SerializeAsString());
    }
  }
}

TEST_F(OperationSessions, InheritTheTypeOfTheOutput) {
  const auto session = SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kStream);
  v1::QuantizeRequest first = PerChannelQuantizeRequest();
  first.set_output_type(v1::DATA_TYPE_INT16);
  const auto answered = AskSession(*session, first);
  ASSERT_TRUE(answered.ok()) << answered.status();
  v1::QuantizeRequest second = first;
  second.clear_range();
  second.clear_output_type();
  const auto inherited = AskSession(*session, second);
  ASSERT_TRUE(inherited.ok()) << inherited.status();
  EXPECT_EQ(inherited->SerializeAsString(), answered->SerializeAsString());

  second.set_output_type(v1::DATA_TYPE_INT4);
  v1::QuantizeRequest whole = second;
  *whole.mutable_range() = first.range();
  const auto with_new_type = AskSession(*session, second);
  ASSERT_TRUE(with_new_type.ok()) << with_new_type.status();
  EXPECT_EQ(with_new_type->SerializeAsString(), Ask(whole, context_)->SerializeAsString());
}

TEST_F(OperationSessions, PlanAnewForInputsOfAnotherType) {
  const auto session = SessionFor<v1::DequantizeRequest>(context_, wire::Transfer::kStream);
  ASSERT_TRUE(AskSession(*session, PerChannelDequantizeRequest()).ok());
  v1::DequantizeRequest second = PerChannelDequantizeRequest();
  second.mutable_input()->set_data_type(v1::DATA_TYPE_INT8);
  const auto expected = Ask(second, context_);
  second.clear_range();
  const auto answered = AskSession(*session, second);
  ASSERT_TRUE(answered.ok()) << answered.status();
  EXPECT_EQ(answered->SerializeAsString(), expected->SerializeAsString());

  second.mutable_input()->set_data_type(v1::DATA_TYPE_INT32);
  second.mutable_input()->set_data(std::string(24, '\0'));
  const absl::Status status = AskSession(*session, second).status();
  EXPECT_EQ(core::GetErrorDetail(status)->reason, "UNSUPPORTED_DATA_TYPE") << status;
}

TEST_F(OperationSessions, CheckEveryShapeAgainstTheRangeBefore) {
  const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kStream);
  ASSERT_TRUE(AskSession(*session, PerChannelRequest()).ok());
  v1::FakeQuantizeRequest other;
  *other.mutable_input() = MakeTensor({2, 2}, Ramp(4));
  const absl::Status status = AskSession(*session, other).status();
  EXPECT_EQ(core::GetErrorDetail(status)->reason, "RANGE_SIZE_MISMATCH");
}

TEST_F(OperationSessions, WeighARequestWithTheRangeThatItMayInherit) {
  const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kStream);
  const v1::FakeQuantizeRequest first = PerChannelRequest();
  const grpc::ByteBuffer bytes = *wire::SerializeMessage(first);
  EXPECT_EQ(session->WeightOf(bytes), first.ByteSizeLong());
  ASSERT_TRUE(AskSession(*session, first).ok());
  EXPECT_EQ(session->WeightOf(bytes), first.ByteSizeLong() + first.range().ByteSizeLong());

  v1::FakeQuantizeRequest second = first;
  second.clear_range();
  const auto weight = session->Decode(*wire::SerializeMessage(second));
  ASSERT_TRUE(weight.ok()) << weight.status();
  EXPECT_EQ(*weight, second.input().data().size() + first.range().ByteSizeLong());
}

TEST_F(OperationSessions, WeighTheAnswerWhereItIsLargerThanTheRequest) {
  v1::DequantizeRequest request;
  request.mutable_input()->set_data_type(v1::DATA_TYPE_INT2);
  request.mutable_input()->add_shape(1001);
  request.mutable_input()->set_data(std::string(251, '\0'));
  request.mutable_affine()->add_scale(1);
  const std::uint64_t parameter_bytes = request.affine().ByteSizeLong();
  const auto session = SessionFor<v1::DequantizeRequest>(context_, wire::Transfer::kUnary);
  const grpc::ByteBuffer bytes = *wire::SerializeMessage(request);
  EXPECT_EQ(session->WeightOf(bytes), request.ByteSizeLong());
  EXPECT_EQ(*session->Decode(bytes), 1001 * sizeof(float) + parameter_bytes);

  v1::QuantizeRequest smaller = PerChannelQuantizeRequest();
  EXPECT_EQ(*SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kUnary)
                 ->Decode(*wire::SerializeMessage(smaller)),
            smaller.input().data().size() + smaller.range().ByteSizeLong());
  smaller.clear_range();
  smaller.mutable_data_range()->set_axis(1);
  EXPECT_EQ(*SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kUnary)
                 ->Decode(*wire::SerializeMessage(smaller)),
            smaller.input().data().size() + 3 * std::uint64_t{8})
      << "parameters from the data weigh as much as if they had been sent";
}

TEST_F(OperationSessions, ExpectMoreWorkWhereAnswersAreLargerThanRequests) {
  const grpc::ByteBuffer bytes = *wire::SerializeMessage(PerChannelDequantizeRequest());
  EXPECT_EQ(SessionFor<v1::DequantizeRequest>(context_, wire::Transfer::kUnary)->WorkOf(bytes),
            4 * bytes.Length());
  EXPECT_EQ(SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kUnary)->WorkOf(bytes),
            bytes.Length());
}

}  // namespace
}  // namespace quantd::server
