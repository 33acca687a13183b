// Tests every documented error with its details, through a real channel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/bad_requests.h"
#include "tests/server/call_error.h"
#include "tests/server/raw_call.h"
#include "tests/server/running_service.h"
#include "tests/wire/requests.h"

namespace quantd::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <typename Request>
void ExpectRefusal(const BadRequest<Request>& bad, const grpc::Status& status) {
  SCOPED_TRACE(bad.name);
  const CallError error = ErrorOf(status);
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_EQ(error.details_code, 3);
  EXPECT_EQ(error.domain, "quantd");
  EXPECT_EQ(error.reason, bad.reason);
  EXPECT_THAT(error.fields, ElementsAre(bad.field));
  EXPECT_FALSE(error.has_retry_delay);
  EXPECT_THAT(status.error_message(), HasSubstr("; "));
}

TEST(ErrorTable, HoldsForFakeQuantize) {
  const RunningService running;
  for (const auto& bad : BadFakeQuantizeRequests()) {
    v1::FakeQuantizeRequest request = PerChannelRequest();
    bad.spoil(request);
    ExpectRefusal(bad, running.FakeQuantize(request));
  }
  EXPECT_TRUE(running.FakeQuantize(PerChannelRequest()).ok());
}

TEST(ErrorTable, HoldsForFakeQuantizeGradient) {
  const RunningService running;
  for (const auto& bad : BadFakeQuantizeGradientRequests()) {
    v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
    bad.spoil(request);
    ExpectRefusal(bad, running.FakeQuantizeGradient(request));
  }
  EXPECT_TRUE(running.FakeQuantizeGradient(PerChannelGradientRequest()).ok());
}

TEST(ErrorTable, HoldsForInvalidMessages) {
  const RunningService running;
  for (const char* method : {"FakeQuantize", "FakeQuantizeGradient", "GetServerInfo"}) {
    SCOPED_TRACE(method);
    const grpc::Status status = RawUnaryCall(
        running.channel, "/quantd.v1.QuantizationService/" + std::string(method), "\xff");
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

TEST(ErrorTable, HoldsForShapesOfManyDimensions) {
  // No client input may make the error larger than headers can be.
  const RunningService running;
  v1::FakeQuantizeGradientRequest request = PerChannelGradientRequest();
  for (int i = 0; i < 10'000; ++i) {
    request.mutable_inputs()->add_shape(1);
  }
  const CallError error = ErrorOf(running.FakeQuantizeGradient(request));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "SHAPE_MISMATCH");
}

}  // namespace
}  // namespace quantd::server
