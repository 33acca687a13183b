#include "wire/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace quantd::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

absl::Status RangeError(const std::string& message) {
  return core::InvalidArgument(core::ErrorReason::kInvalidRange, message,
                               {.field = "range.min[3]", .metadata = {{"min", "2"}, {"max", "1"}}});
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

TEST(ToGrpcStatus, NamesNoFieldIfThereIsNone) {
  const grpc::Status status = ToGrpcStatus(
      core::MakeError(absl::StatusCode::kUnavailable, core::ErrorReason::kShuttingDown, "going"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  const google::rpc::Status details = DetailsOf(status);
  ASSERT_EQ(details.details_size(), 1);
  EXPECT_TRUE(details.details(0).Is<google::rpc::ErrorInfo>());
}

TEST(ToGrpcStatus, SuggestsADelayAfterALoadLimit) {
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(core::MakeError(
      absl::StatusCode::kResourceExhausted, core::ErrorReason::kInFlightLimit, "full")));
  ASSERT_EQ(details.details_size(), 2);
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(1).UnpackTo(&retry));
  EXPECT_GT(retry.retry_delay().nanos(), 0);
}

TEST(ToGrpcStatus, PassesOnAStatusWithoutDetail) {
  const grpc::Status status = ToGrpcStatus(absl::InternalError("broken"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status.error_message(), "broken");
  EXPECT_EQ(DetailsOf(status).details_size(), 0);
}

TEST(ToGrpcStatus, CutsAMessageThatHeadersCannotCarryBetweenCharacters) {
  std::string message = "x";
  for (int i = 0; i < 5000; ++i) {
    message += "é";
  }
  const grpc::Status status = ToGrpcStatus(RangeError(message));
  EXPECT_LE(status.error_message().size(), 1024U);
  EXPECT_LE(status.error_details().size(), 4096U);
  EXPECT_EQ(status.error_message(), message.substr(0, 1023));
}

TEST(ToAbslStatus, KeepsCodeMessageReasonFieldAndMetadata) {
  const absl::Status status = ToAbslStatus(ToGrpcStatus(
      core::InvalidArgument(core::ErrorReason::kInvalidRange, "min is above max",
                            {.field = "range.min[3]", .metadata = {{"channel", "3"}}})));

  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "min is above max");
  const std::optional<core::ErrorDetail> detail = core::GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "INVALID_RANGE");
  EXPECT_EQ(detail->field, "range.min[3]");
  EXPECT_THAT(detail->metadata, ElementsAre(Pair("channel", "3")));
}

TEST(ToAbslStatus, OkIsOk) { EXPECT_TRUE(ToAbslStatus(grpc::Status::OK).ok()); }

TEST(ToAbslStatus, KeepsCodeAndMessageIfDetailsAreNotProtobuf) {
  const absl::Status status =
      ToAbslStatus({grpc::StatusCode::RESOURCE_EXHAUSTED, "too much", "\xFF\xFF\xFF"});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "too much");
  EXPECT_FALSE(core::GetErrorDetail(status).has_value());
}

TEST(ToAbslStatus, KeepsCodeAndMessageWithoutDetails) {
  const absl::Status status = ToAbslStatus({grpc::StatusCode::UNAVAILABLE, "gone"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(core::GetErrorDetail(status).has_value());
}

TEST(ToAbslStatus, IgnoresReasonsOfOtherDomains) {
  google::rpc::ErrorInfo info;
  info.set_domain("proxy.example.com");
  info.set_reason("RATE_LIMITED");
  google::rpc::Status rich;
  ASSERT_TRUE(rich.add_details()->PackFrom(info));
  const absl::Status status =
      ToAbslStatus({grpc::StatusCode::RESOURCE_EXHAUSTED, "slow down", rich.SerializeAsString()});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(core::GetErrorDetail(status).has_value());
}

TEST(ToAbslStatus, MapsCodesThatAbseilDoesNotHaveToUnknown) {
  const absl::Status status = ToAbslStatus({static_cast<grpc::StatusCode>(20), "odd"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(status.message(), "odd");
}

}  // namespace
}  // namespace quantd::wire
