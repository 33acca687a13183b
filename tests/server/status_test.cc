#include "server/status.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::server {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

absl::Status RangeError(const std::string& message) {
  return core::InvalidArgument(message, {.reason = std::string(core::reason::kInvalidRange),
                                         .field = "range.min[3]",
                                         .metadata = {{"min", "2"}, {"max", "1"}}});
}

TEST(ToGrpcStatus, KeepsSuccess) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(ToGrpcStatus, CarriesReasonFieldAndNumbers) {
  const grpc::Status status = ToGrpcStatus(RangeError("min is above max"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "min is above max");
  const google::rpc::Status details = DetailsOf(status);
  EXPECT_EQ(details.code(), 3);
  EXPECT_EQ(details.message(), "min is above max");
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.domain(), "quantd");
  EXPECT_EQ(info.reason(), "INVALID_RANGE");
  EXPECT_EQ(info.metadata().at("min"), "2");
  EXPECT_EQ(info.metadata().at("max"), "1");
  google::rpc::BadRequest bad_request;
  ASSERT_TRUE(details.details(1).UnpackTo(&bad_request));
  ASSERT_EQ(bad_request.field_violations_size(), 1);
  EXPECT_EQ(bad_request.field_violations(0).field(), "range.min[3]");
  EXPECT_EQ(bad_request.field_violations(0).description(), "min is above max");
}

TEST(ToGrpcStatus, HasNoBadRequestWithoutAField) {
  const grpc::Status status = ToGrpcStatus(core::MakeError(
      absl::StatusCode::kUnavailable, "going",
      {.reason = std::string(core::reason::kShuttingDown), .field = {}, .metadata = {}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  const google::rpc::Status details = DetailsOf(status);
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_TRUE(details.details(0).Is<google::rpc::ErrorInfo>());
}

TEST(ToGrpcStatus, HasARetryDelayAfterALoadLimit) {
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(core::MakeError(
      absl::StatusCode::kResourceExhausted, "full",
      {.reason = std::string(core::reason::kInFlightLimit), .field = {}, .metadata = {}})));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_GT(retry.retry_delay().nanos(), 0);
}

TEST(ToGrpcStatus, KeepsAStatusWithoutDetail) {
  const grpc::Status status = ToGrpcStatus(absl::InternalError("broken"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "broken");
  EXPECT_EQ(DetailsOf(status).details_size(), 0);
}

TEST(ToGrpcStatus, CutsTooLongMessagesBetweenCharacters) {
  std::string message = "x";
  for (int i = 0; i < 5000; ++i) {
    message += "é";
  }
  const grpc::Status status = ToGrpcStatus(RangeError(message));
  EXPECT_LE(status.error_message().size(), 1024U);
  EXPECT_LE(status.error_details().size(), 4096U);
  EXPECT_EQ(status.error_message(), message.substr(0, 1023));
}

}  // namespace
}  // namespace quantd::server
