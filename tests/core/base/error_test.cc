#include "core/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "core/base/error_reason.h"

namespace quantd::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

absl::Status TooFewBits() {
  return InvalidArgument(
      ErrorReason::kInvalidNumBits, "num_bits is 1; expected 2..16",
      {.field = "spec.num_bits", .metadata = {{"num_bits", "1"}, {"min", "2"}, {"max", "16"}}});
}

TEST(Error, CarriesReasonFieldAndNumbers) {
  const absl::Status status = TooFewBits();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "num_bits is 1; expected 2..16");
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "INVALID_NUM_BITS");
  EXPECT_TRUE(detail->Is(ErrorReason::kInvalidNumBits));
  EXPECT_FALSE(detail->Is(ErrorReason::kInvalidRange));
  EXPECT_EQ(detail->field, "spec.num_bits");
  EXPECT_THAT(detail->metadata,
              ElementsAre(Pair("max", "16"), Pair("min", "2"), Pair("num_bits", "1")));
}

TEST(Error, MayHaveNeitherFieldNorNumbers) {
  const auto detail = GetErrorDetail(MakeError(
      absl::StatusCode::kUnavailable, ErrorReason::kShuttingDown, "the server is shutting down"));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "SHUTTING_DOWN");
  EXPECT_EQ(detail->field, "");
  EXPECT_THAT(detail->metadata, IsEmpty());
}

TEST(Error, KeepsAReasonThatIsNotListed) {
  const auto detail = GetErrorDetail(MakeError(absl::StatusCode::kInternal, "from a newer server",
                                               {.reason = "NEW", .field = "f", .metadata = {}}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "NEW");
}

TEST(Error, KeepsEmptyValues) {
  const auto detail = GetErrorDetail(
      InvalidArgument(ErrorReason::kInvalidRange, "", {.field = "", .metadata = {{"given", ""}}}));
  ASSERT_TRUE(detail.has_value());
  EXPECT_THAT(detail->metadata, ElementsAre(Pair("given", "")));
}

TEST(Error, IsAbsentFromOtherStatuses) {
  EXPECT_FALSE(GetErrorDetail(absl::OkStatus()).has_value());
  EXPECT_FALSE(GetErrorDetail(absl::InternalError("broken")).has_value());
}

TEST(WrongSize, NamesTheFieldTheSizesAndTheFix) {
  const absl::Status status = WrongSize({.field = "input.data",
                                         .size = 5,
                                         .expected = 8,
                                         .unit = "bytes",
                                         .advice = "send all of them"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("input.data has 5 bytes; expected 8"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("send all of them"));
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_TRUE(detail->Is(ErrorReason::kTensorSizeMismatch));
  EXPECT_EQ(detail->field, "input.data");
  EXPECT_THAT(detail->metadata, ElementsAre(Pair("expected", "8"), Pair("size", "5")));
}

TEST(AtField, PrefixesMessageAndField) {
  const absl::Status status = AtField("inputs", TooFewBits());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "inputs: num_bits is 1; expected 2..16");
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "INVALID_NUM_BITS");
  EXPECT_EQ(detail->field, "inputs.spec.num_bits");
  EXPECT_EQ(detail->metadata.at("num_bits"), "1");
}

TEST(AtField, KeepsAStatusWithoutADetail) {
  const absl::Status status = AtField("inputs", absl::DataLossError("cut off"));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "inputs: cut off");
  EXPECT_FALSE(GetErrorDetail(status).has_value());
}

TEST(AtMessage, PrefixesTheMessageAndAddsItsIndex) {
  const absl::Status status = AtMessage(3, TooFewBits());
  EXPECT_EQ(status.message(), "message 3: num_bits is 1; expected 2..16");
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->field, "spec.num_bits");
  EXPECT_EQ(detail->metadata.at("message_index"), "3");
}

TEST(ErrorReason, HasADifferentUpperCaseNameForEachReason) {
  std::set<std::string_view> names;
  for (const auto& [reason, name] : kErrorReasons) {
    EXPECT_EQ(ErrorReasonName(reason), name);
    EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), std::string_view::npos);
    EXPECT_TRUE(names.insert(name).second) << name << " is listed twice";
  }
}

}  // namespace
}  // namespace quantd::core
