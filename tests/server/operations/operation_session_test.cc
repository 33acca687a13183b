#include "server/operations/operation_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/reference.h"
#include "core/simd_target.h"
#include "server/operations/codec.h"
#include "server/operations/server_info.h"
#include "tests/server/ask.h"
#include "tests/server/bad_requests.h"
#include "tests/wire/requests.h"
#include "version.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class OperationSessions : public testing::Test {
 protected:
  core::WorkerPool pool_{2};
  Metrics metrics_{"TEST", {}};
  OperationContext context_{.pool = &pool_, .metrics = &metrics_};
};

TEST_F(OperationSessions, FakeQuantizeLikeTheReference) {
  for (const v1::FakeQuantizeRequest& request : {PerChannelRequest(), PerTensorRequest(100'003)}) {
    const auto response = Ask(request, context_);
    ASSERT_TRUE(response.ok()) << response.status();
    const auto received = Receive(request);
    const auto decoded = Decode(received, &request.range(), request.spec());
    const auto expected = core::reference::FakeQuantize(
        decoded->inputs[0].shape, FloatsOf(request.input()), decoded->range, decoded->spec);
    EXPECT_EQ(response->output().data(), BytesOf(*expected));
    EXPECT_EQ(response->output().data_type(), v1::DATA_TYPE_FLOAT32);
    EXPECT_THAT(response->output().shape(), testing::ElementsAreArray(request.input().shape()));
    EXPECT_EQ(response->nudged_range().min_size(), request.range().min_size());
  }
}

TEST_F(OperationSessions, DifferentiateLikeTheReference) {
  const v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  const auto response = Ask(request, context_);
  ASSERT_TRUE(response.ok()) << response.status();
  const auto received = Receive(request);
  const auto decoded = Decode(received, &request.range(), request.spec());
  const auto expected = core::reference::FakeQuantizeGradient(
      decoded->inputs[1].shape, FloatsOf(request.gradients()), FloatsOf(request.inputs()),
      decoded->range, decoded->spec);
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

TEST(DescribeServer, ListsVersionInstructionSetsTypesAndLimits) {
  const v1::GetServerInfoResponse info =
      DescribeServer({.max_message_bytes = 1000, .max_in_flight_bytes = 2000, .worker_threads = 3});
  EXPECT_EQ(info.version(), std::string(kVersion));
  EXPECT_EQ(info.simd_target(), core::ActiveSimdTarget());
  EXPECT_THAT(info.supported_simd_targets(), Not(IsEmpty()));
  EXPECT_THAT(info.data_types(), ElementsAre(v1::DATA_TYPE_FLOAT32));
  EXPECT_EQ(info.max_message_bytes(), 1000U);
  EXPECT_EQ(info.max_in_flight_bytes(), 2000U);
  EXPECT_EQ(info.worker_threads(), 3U);
  EXPECT_THAT(info.shared_memory_socket(), IsEmpty());
}

}  // namespace
}  // namespace quantd::server
