#include "client/library/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "core/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/client/test_server.h"

namespace quantd::client {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(ToAbslStatus, KeepsCodeMessageReasonFieldAndMetadata) {
  const absl::Status status = ToAbslStatus(ToGrpcStatus(core::InvalidArgument(
      "min is above max",
      {.reason = "INVALID_RANGE", .field = "range.min[3]", .metadata = {{"channel", "3"}}})));

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
  rich.add_details()->PackFrom(info);
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
}  // namespace quantd::client
