#include "core/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quantd::core {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Error, CarriesReasonFieldAndNumbers) {
  const absl::Status status =
      InvalidArgument("num_bits is 1; expected 2..16",
                      {.reason = std::string(reason::kInvalidNumBits),
                       .field = "spec.num_bits",
                       .metadata = {{"num_bits", "1"}, {"min", "2"}, {"max", "16"}}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "num_bits is 1; expected 2..16");
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "INVALID_NUM_BITS");
  EXPECT_EQ(detail->field, "spec.num_bits");
  EXPECT_THAT(detail->metadata,
              ElementsAre(Pair("max", "16"), Pair("min", "2"), Pair("num_bits", "1")));
}

TEST(Error, MayNameNoFieldAndNoNumbers) {
  const auto detail = GetErrorDetail(
      MakeError(absl::StatusCode::kUnavailable, "the server is shutting down",
                {.reason = std::string(reason::kShuttingDown), .field = "", .metadata = {}}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "SHUTTING_DOWN");
  EXPECT_EQ(detail->field, "");
  EXPECT_TRUE(detail->metadata.empty());
}

TEST(Error, KeepsEmptyValues) {
  const auto detail = GetErrorDetail(
      InvalidArgument("", {.reason = "R", .field = "", .metadata = {{"given", ""}}}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_THAT(detail->metadata, ElementsAre(Pair("given", "")));
}

TEST(Error, IsAbsentFromOtherStatuses) {
  EXPECT_FALSE(GetErrorDetail(absl::OkStatus()).has_value());
  EXPECT_FALSE(GetErrorDetail(absl::InternalError("broken")).has_value());
}

}  // namespace
}  // namespace quantd::core
