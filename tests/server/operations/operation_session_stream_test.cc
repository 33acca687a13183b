// Tests sessions that get several requests, and what sessions weigh and count.

#include <gmock/gmock.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "server/operations/fake_quantize.h"
#include "server/operations/operation_session.h"
#include "server/operations/quantize.h"
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

TEST_F(OperationSessions, WeighARequestWithWhatItMayInherit) {
  const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kStream);
  const v1::FakeQuantizeRequest first = PerChannelRequest();
  v1::FakeQuantizeRequest second = first;
  second.clear_range();
  const grpc::ByteBuffer bytes = *wire::SerializeMessage(second);
  const std::uint64_t alone = session->WeightOf(bytes);
  EXPECT_GE(alone, bytes.Length());
  EXPECT_EQ(session->HeldBytes(), 0U);

  ASSERT_TRUE(AskSession(*session, first).ok());
  const std::uint64_t held = session->HeldBytes();
  EXPECT_EQ(held, 3 * Implementation<wire::FakeQuantize>::kBytesPerChannel);
  EXPECT_EQ(session->WeightOf(bytes), alone + held);

  const auto weight = session->Decode(bytes);
  ASSERT_TRUE(weight.ok()) << weight.status();
  EXPECT_GE(*weight, 2 * second.input().data().size() + held);
}

TEST_F(OperationSessions, HoldNothingOnceASingleRequestIsAnswered) {
  const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kUnary);
  ASSERT_TRUE(session->Decode(*wire::SerializeMessage(PerChannelRequest())).ok());
  EXPECT_GT(session->HeldBytes(), 0U);
  grpc::ByteBuffer answer;
  ASSERT_TRUE(session->Answer(&answer).ok());
  EXPECT_EQ(session->HeldBytes(), 0U);
}

TEST_F(OperationSessions, WeighParametersByWhatParsingThemMayTake) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  UseScales(request);
  const auto session = SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kUnary);
  request.mutable_input()->mutable_data()->append(5000, 'x');
  const std::uint64_t few = session->WeightOf(*wire::SerializeMessage(request));
  for (int i = 0; i < 5000; ++i) {
    request.mutable_affine()->add_zero_point(1);
  }
  const std::uint64_t many = session->WeightOf(*wire::SerializeMessage(request));
  EXPECT_GE(many, few + 5000 * (1 + sizeof(std::int32_t)));
  // Elements are not copied.
  request.mutable_input()->mutable_data()->append(1000, 'x');
  EXPECT_LE(session->WeightOf(*wire::SerializeMessage(request)), many + 1010);
}

TEST_F(OperationSessions, WeighTheSlicesOfARequest) {
  const std::string bytes = PerTensorRequest(100'000).SerializeAsString();
  const auto weight_in_slices_of = [&](std::size_t size) {
    std::vector<grpc::Slice> slices;
    for (std::size_t first = 0; first < bytes.size(); first += size) {
      slices.emplace_back(bytes.substr(first, size));
    }
    return SessionFor<v1::FakeQuantizeRequest>(context_, wire::Transfer::kUnary)
        ->WeightOf(grpc::ByteBuffer(slices.data(), slices.size()));
  };
  EXPECT_EQ(weight_in_slices_of(8192), weight_in_slices_of(bytes.size()));
  EXPECT_GE(weight_in_slices_of(24), 4 * bytes.size());
}

TEST_F(OperationSessions, WeighAnAnswerThatIsLargerThanItsRequest) {
  v1::DequantizeRequest request;
  request.mutable_input()->set_data_type(v1::DATA_TYPE_INT2);
  request.mutable_input()->add_shape(1001);
  request.mutable_input()->set_data(std::string(251, '\0'));
  request.mutable_affine()->add_scale(1);
  const auto session = SessionFor<v1::DequantizeRequest>(context_, wire::Transfer::kUnary);
  // Codes, the same unpacked, and floats.
  EXPECT_GE(*session->Decode(*wire::SerializeMessage(request)), 251 + 1001 * (1 + sizeof(float)));
}

TEST_F(OperationSessions, WeighParametersFromTheDataLikeThoseThatAreSent) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  const auto weight = [&] {
    return *SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kUnary)
                ->Decode(*wire::SerializeMessage(request));
  };
  const std::uint64_t parameters = 3 * Implementation<wire::Quantize>::kBytesPerChannel;
  EXPECT_GE(weight(), std::uint64_t{5} * 6 + parameters);
  request.clear_range();
  request.mutable_data_range()->set_axis(1);
  EXPECT_EQ(weight(), std::uint64_t{5} * 6 + parameters);
}

TEST_F(OperationSessions, StopOnceTheyAreCancelled) {
  for (const wire::Transfer transfer : {wire::Transfer::kUnary, wire::Transfer::kStream}) {
    const auto session = SessionFor<v1::FakeQuantizeRequest>(context_, transfer);
    ASSERT_TRUE(session->Decode(*wire::SerializeMessage(PerTensorRequest(1'000'000))).ok());
    int asked = 0;
    grpc::ByteBuffer answer;
    const absl::Status status = session->Answer(&answer, [&asked] { return ++asked > 2; });
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
    // Once more to find out.
    EXPECT_EQ(asked, 4);
  }
}

TEST_F(OperationSessions, StopComputingARangeOnceTheyAreCancelled) {
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  request.clear_range();
  request.mutable_data_range();
  const auto session = SessionFor<v1::QuantizeRequest>(context_, wire::Transfer::kUnary);
  ASSERT_TRUE(session->Decode(*wire::SerializeMessage(request)).ok());
  grpc::ByteBuffer answer;
  EXPECT_EQ(session->Answer(&answer, [] { return true; }).code(), absl::StatusCode::kCancelled);
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
