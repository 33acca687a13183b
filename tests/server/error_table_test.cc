// Tests every documented error with its details, through a real channel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/bad_requests.h"
#include "tests/server/call_error.h"
#include "tests/server/raw_call.h"
#include "tests/server/running_service.h"
#include "tests/wire/requests.h"
#include "wire/methods.h"

namespace quantd::server {
namespace {

using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// The stub's functions for a type of request.
template <typename Request>
struct StubFunctions;
template <>
struct StubFunctions<v1::FakeQuantizeRequest> {
  using Response = v1::FakeQuantizeResponse;
  static constexpr auto kUnary = &v1::QuantizationService::Stub::FakeQuantize;
  static constexpr auto kStream = &v1::QuantizationService::Stub::StreamFakeQuantize;
};
template <>
struct StubFunctions<v1::FakeQuantizeGradientRequest> {
  using Response = v1::FakeQuantizeGradientResponse;
  static constexpr auto kUnary = &v1::QuantizationService::Stub::FakeQuantizeGradient;
  static constexpr auto kStream = &v1::QuantizationService::Stub::StreamFakeQuantizeGradient;
};
template <>
struct StubFunctions<v1::QuantizeRequest> {
  using Response = v1::QuantizeResponse;
  static constexpr auto kUnary = &v1::QuantizationService::Stub::Quantize;
  static constexpr auto kStream = &v1::QuantizationService::Stub::StreamQuantize;
};
template <>
struct StubFunctions<v1::DequantizeRequest> {
  using Response = v1::DequantizeResponse;
  static constexpr auto kUnary = &v1::QuantizationService::Stub::Dequantize;
  static constexpr auto kStream = &v1::QuantizationService::Stub::StreamDequantize;
};

template <typename Request>
grpc::Status Call(const RunningService& running, const Request& request) {
  grpc::ClientContext context;
  typename StubFunctions<Request>::Response response;
  return ((*running.stub).*StubFunctions<Request>::kUnary)(&context, request, &response);
}

// Sends `bad` as the fourth message of a stream, behind three times `good`.
template <typename Request>
grpc::Status CallAsFourthMessage(const RunningService& running, const Request& good,
                                 const Request& bad) {
  grpc::ClientContext context;
  const auto stream = ((*running.stub).*StubFunctions<Request>::kStream)(&context);
  typename StubFunctions<Request>::Response response;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(stream->Write(good) && stream->Read(&response));
  }
  stream->Write(bad);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  return stream->Finish();
}

template <typename Request>
void ExpectRefusal(const BadRequest<Request>& bad, const grpc::Status& status) {
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_EQ(error.details_code, 3);
  EXPECT_EQ(error.domain, "quantd");
  EXPECT_EQ(error.reason, bad.reason) << status.error_message();
  EXPECT_THAT(error.fields, ElementsAre(bad.field)) << status.error_message();
  EXPECT_FALSE(error.has_retry_delay);
  // What was expected, and how to fix it.
  EXPECT_THAT(status.error_message(), ContainsRegex("; expected .+: .+"));
}

// Sends every bad request in a call of its own, and behind good ones in a stream.
template <typename Request>
void ExpectRefusals(const std::vector<BadRequest<Request>>& all, const Request& good) {
  const RunningService running;
  for (const BadRequest<Request>& bad : all) {
    SCOPED_TRACE(bad.name);
    Request request = good;
    bad.spoil(request);
    const grpc::Status status = Call(running, request);
    ExpectRefusal(bad, status);
    if (bad.also_in_streams) {
      const grpc::Status in_stream = CallAsFourthMessage(running, good, request);
      ExpectRefusal(bad, in_stream);
      EXPECT_EQ(in_stream.error_message(), "message 3: " + status.error_message());
      EXPECT_EQ(ErrorOf(in_stream).metadata.at("message_index"), "3");
    }
  }
  const grpc::Status status = Call(running, good);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(ErrorTable, HoldsForFakeQuantize) {
  ExpectRefusals(BadFakeQuantizeRequests(), PerChannelRequest());
}

TEST(ErrorTable, HoldsForFakeQuantizeGradient) {
  ExpectRefusals(BadFakeQuantizeGradientRequests(), PerChannelGradientRequest());
}

TEST(ErrorTable, HoldsForQuantize) {
  ExpectRefusals(BadQuantizeRequests(), PerChannelQuantizeRequest());
}

TEST(ErrorTable, HoldsForDequantize) {
  ExpectRefusals(BadDequantizeRequests(), PerChannelDequantizeRequest());
}

TEST(ErrorTable, HoldsForADataRangeInAStream) {
  const RunningService running;
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  request.clear_range();
  request.mutable_data_range();
  EXPECT_TRUE(Call(running, request).ok());
  const grpc::Status status = CallAsFourthMessage(running, PerChannelQuantizeRequest(), request);
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.reason, "PARAMETERS_MISMATCH");
  EXPECT_THAT(error.fields, ElementsAre("data_range"));
  EXPECT_THAT(status.error_message(), StartsWith("message 3: data_range is set in a stream"));
  EXPECT_THAT(status.error_message(), HasSubstr("; expected range or affine: "));
}

TEST(ErrorTable, HoldsForInvalidMessages) {
  const RunningService running;
  for (const wire::Method& method : wire::kMethods) {
    SCOPED_TRACE(method.name);
    const std::string path(method.path);
    const grpc::Status status = method.transfer == wire::Transfer::kUnary
                                    ? RawUnaryCall(running.channel, path, "\xff")
                                    : RawStreamCall(running.channel, path, "\xff").status;
    const CallError error = ErrorOf(status);
    EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
    EXPECT_EQ(error.domain, "quantd");
    EXPECT_EQ(error.reason, "MALFORMED_MESSAGE");
    EXPECT_EQ(error.metadata.at("message_bytes"), "1");
    EXPECT_THAT(error.fields, IsEmpty());
  }
}

TEST(ErrorTable, MetadataContainsTheNumbersBehindAnError) {
  const RunningService running;
  v1::FakeQuantizeRequest request = PerChannelRequest();
  request.mutable_input()->mutable_data()->pop_back();
  const CallError error = ErrorOf(running.FakeQuantize(request));
  EXPECT_EQ(error.metadata.at("size"), "23");
  EXPECT_EQ(error.metadata.at("expected"), "24");
}

TEST(ErrorTable, MetadataListsTheNumericsThatTheMethodHas) {
  const RunningService running;
  v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  request.mutable_spec()->set_numerics(static_cast<v1::Numerics>(99));
  const CallError error = ErrorOf(running.FakeQuantizeGradient(request));
  EXPECT_EQ(error.metadata.at("numerics"), "99");
  const std::string& supported = error.metadata.at("supported");
  EXPECT_THAT(supported, StartsWith("TENSORFLOW, TENSORFLOW_ARGS, "));
  EXPECT_THAT(supported, HasSubstr("PYTORCH"));
  EXPECT_THAT(supported, Not(HasSubstr("ONNX")));
}

TEST(ErrorTable, MetadataListsTheTypesThatTheMethodTakes) {
  const RunningService running;
  v1::FakeQuantizeRequest request = PerChannelRequest();
  request.mutable_input()->set_data_type(v1::DATA_TYPE_INT8);
  const CallError error = ErrorOf(running.FakeQuantize(request));
  EXPECT_EQ(error.metadata.at("supported"), "float32, float16, bfloat16, float64");
}

TEST(ErrorTable, MetadataSaysWhichParametersWereGiven) {
  const RunningService running;
  v1::QuantizeRequest request = PerChannelQuantizeRequest();
  request.mutable_data_range();
  const CallError error = ErrorOf(Call(running, request));
  EXPECT_EQ(error.metadata.at("given"), "range, data_range");
  EXPECT_EQ(error.metadata.at("expected"), "range, affine, data_range");
}

TEST(ErrorTable, HoldsForShapesOfManyDimensions) {
  // No client input may make the error larger than headers can be.
  const RunningService running;
  v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  while (request.inputs().shape_size() < 64) {
    request.mutable_inputs()->add_shape(1);
  }
  EXPECT_EQ(ErrorOf(running.FakeQuantizeGradient(request)).reason, "SHAPE_MISMATCH");
  while (request.inputs().shape_size() < 10'000) {
    request.mutable_inputs()->add_shape(1);
  }
  const CallError error = ErrorOf(running.FakeQuantizeGradient(request));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "TENSOR_SIZE_MISMATCH");
  EXPECT_THAT(error.fields, testing::ElementsAre("inputs.shape"));
}

}  // namespace
}  // namespace quantd::server
